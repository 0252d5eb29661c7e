import { missingPostgres } from '../../lib/postgres.mjs';
import { Ledger } from '../ledger.mjs';
import { QUESTION } from '../models.mjs';
import { postgresOf } from '../postgres.mjs';
import { Server } from '../server.mjs';

/** Milliseconds within which a request that needs a frozen database is told so. */
const PATIENCE = 30_000;

export default {
  name: 'postgres-frozen',
  title: 'PostgreSQL stands still with its connections open, as when a network is lost',
  missing: missingPostgres,
  async run(world) {
    const postgres = await postgresOf(world);
    const data = world.make('data');
    const env = { DATABASE_URL: await postgres.database('runs') };
    const ledger = new Ledger(world);
    const server = await Server.start(world, { data, env });
    await server.kept(await server.run(QUESTION));
    await ledger.note(server);
    postgres.freeze();
    world.count('freezes of PostgreSQL');
    const id = await server.run(QUESTION);
    await server.ended(id);
    const list = await server.get('/api/runs');
    world.check(
      'the list answers in time while the database is frozen',
      list.status === 200 && list.ms < PATIENCE,
      list,
    );
    const stranger = await server.get('/api/runs/00000000');
    const answered = [404, 503].includes(stranger.status) && stranger.ms < PATIENCE;
    world.check('an unknown run is answered in time while the database is frozen', answered, stranger.status);
    const health = await server.get('/api/health');
    world.check('health answers while the database is frozen', health.json?.status === 'ready', health.json);
    world.figure('the list while PostgreSQL is frozen', list.ms, 'ms');
    postgres.thaw();
    await server.kept(id);
    world.check('a run that ended while the database was frozen is kept afterwards', true);
    await ledger.note(server);
    await server.stop();
    const again = await Server.start(world, { data, env });
    await ledger.verify(again);
    await again.stop();
  },
};
