import { missingPostgres } from '../../lib/postgres.mjs';
import { Ledger } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { postgresOf } from '../postgres.mjs';
import { Server } from '../server.mjs';
import { sleep } from '../world.mjs';

export default {
  name: 'postgres-killed',
  title: 'kill −9 of PostgreSQL while runs end, and a server that starts before its database',
  missing: missingPostgres,
  async run(world) {
    const postgres = await postgresOf(world);
    const data = world.make('data');
    const env = { DATABASE_URL: await postgres.database('runs') };
    const ledger = new Ledger(world);
    const server = await Server.start(world, { data, env });
    await server.kept(await server.run(QUESTION));
    await ledger.note(server);

    const ids = [await server.run(QUESTION), await server.run(QUESTION)];
    await sleep(world.random.between(0, 600));
    await postgres.kill();
    world.count('kill −9 of PostgreSQL');
    ids.push(await server.run(QUESTION));
    await server.ended(...ids);
    const { json, status } = await server.get('/api/runs');
    world.check('the list answers while the database is gone', status === 200, `${status} ${JSON.stringify(json)}`);
    const seen = ids.every((id) => json?.runs?.some((run) => run.id === id));
    world.check('the list has the runs in memory while the database is gone', seen, json);
    const told = await world.until('the list says that runs are not kept', async () => {
      const { json: list } = await server.get('/api/runs');
      return list?.archive?.message;
    });
    world.check('the list says in a sentence that runs are not kept', /[.!]$/.test(told), told);
    world.noLeak('archive.message', told);
    const { json: health } = await server.get('/api/health');
    world.check('health answers while the database is gone', health?.status === 'ready', health);

    const late = await Server.start(world, { data, env });
    await late.list();
    await postgres.start();
    await server.kept(...ids);
    world.check('runs that ended while the database was gone are kept afterwards', true);
    await ledger.note(server);
    await world.until('a server that started before its database opens the archive', async () => {
      const { archive } = await late.list();
      return archive.state === 'open';
    });
    await ledger.verify(late);
    const { archive } = await server.list();
    world.check('the message goes when all is kept', archive.message === undefined, archive.message);
    await late.stop();
    await server.stop();
  },
};
