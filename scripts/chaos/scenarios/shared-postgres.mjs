import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { missingPostgres } from '../../lib/postgres.mjs';
import { Ledger, tornFiles } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { postgresOf } from '../postgres.mjs';
import { Server } from '../server.mjs';

const listed = (list) => list.runs.filter(({ kept }) => kept).map(({ id }) => id);

export default {
  name: 'shared-postgres',
  title: 'two servers share one PostgreSQL and one folder: both keep, both list, one trims',
  missing: missingPostgres,
  async run(world) {
    const postgres = await postgresOf(world);
    const data = world.make('data');
    const env = { DATABASE_URL: await postgres.database('shared') };
    const servers = [await Server.start(world, { data, env }), await Server.start(world, { data, env })];
    const ids = [];
    for (let i = 0; i < 6; i += 1) ids.push(await servers[i % 2].run(QUESTION));
    for (const [i, id] of ids.entries()) await servers[i % 2].kept(id);
    const ledgers = servers.map(() => new Ledger(world));
    for (const [i, server] of servers.entries()) {
      await server.kept(...ids);
      await ledgers[i].note(server);
      world.check('both servers list what either kept', ledgers[i].size >= ids.length, ledgers[i].size);
      await ledgers[i].verify(server);
    }
    await servers[0].kill();
    world.count('kill −9 of the server');
    await ledgers[0].verify(servers[1]);
    await servers[1].stop();

    const small = { ...env, STATESCOPE_DATA_MB: '2' };
    const trimming = [await Server.start(world, { data, env: small }), await Server.start(world, { data, env: small })];
    const more = [];
    for (let i = 0; i < 6; i += 1) more.push(await trimming[i % 2].run(QUESTION));
    for (const server of trimming) await server.ended(...more.filter((_, i) => trimming[i % 2] === server));
    for (const server of trimming)
      await world.until('nothing waits to be kept', async () => (await server.list()).archive.waiting === 0);
    for (const server of trimming) await server.stop();
    const fresh = await Server.start(world, { data, env: small });
    const kept = listed(await fresh.list());
    world.check('the newest run stays', kept.includes(more[5]), kept);
    world.check('the oldest make room beyond the limit', kept.length < ids.length + more.length, kept.length);
    for (const id of kept) {
      const map = await fresh.get(`/api/runs/${id}/map?layer=0`);
      world.check('what is listed as kept after trimming has its arrays', map.status === 200, `${id}: ${map.status}`);
    }
    await fresh.stop();
    const folder = join(data, 'runs');
    const folders = existsSync(folder) ? readdirSync(folder) : [];
    const orphans = folders.filter((name) => /^[0-9a-f]{8}$/.test(name) && !kept.includes(name));
    world.check('what was trimmed has left the folder', orphans.length === 0, orphans.join(', '));
    world.check('no file is torn or left half written', tornFiles(data).length === 0, tornFiles(data).join(', '));
  },
};
