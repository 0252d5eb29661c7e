import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { missingPostgres } from '../../lib/postgres.mjs';
import { Ledger, Sentinels } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { postgresOf } from '../postgres.mjs';
import { Server } from '../server.mjs';

/** Opens a store, looks whether all is there, and ends. */
async function look(world, ledger, options) {
  const server = await Server.start(world, options);
  await ledger.verify(server);
  await server.stop();
}

export default {
  name: 'new-database',
  title: 'a store whose database is moved away, replaced by an empty one, or by that of another store',
  async run(world) {
    const data = world.make('data');
    const sentinels = new Sentinels(world);
    sentinels.plant(join(world.folder, 'beside.txt'));
    const ledger = new Ledger(world);
    const server = await Server.start(world, { data });
    const ids = [await server.run(QUESTION), await server.run({ ...QUESTION, models: ['demo-mamba2'] })];
    await server.kept(...ids);
    await ledger.note(server);
    await server.stop();

    renameSync(join(data, 'database'), join(data, 'database.away'));
    await look(world, ledger, { data });
    world.count('databases replaced');

    if (missingPostgres() === undefined) {
      const postgres = await postgresOf(world);
      const env = { DATABASE_URL: await postgres.database('empty') };
      await look(world, ledger, { data, env });
      await look(world, ledger, { data });
      world.count('databases replaced', 2);
      sentinels.verify();
      if (world.quick) return;

      const other = { DATABASE_URL: await postgres.database('other') };
      const strange = world.make('strange');
      const strangeLedger = new Ledger(world);
      const owner = await Server.start(world, { data: strange, env: other });
      await owner.kept(await owner.run(QUESTION));
      await strangeLedger.note(owner);
      await owner.stop();
      const wrong = await Server.start(world, { data, env: other });
      const { archive } = await wrong.list();
      const told = archive.state === 'open' || /[.!]$/.test(archive.message ?? '');
      world.check('the database of another store is refused in a sentence, or serves both', told, archive);
      await wrong.stop();
      await look(world, ledger, { data });
      await look(world, strangeLedger, { data: strange, env: other });
      world.count('databases replaced');
    }
    sentinels.verify();
  },
};
