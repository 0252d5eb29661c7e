import { deepModel, longQuestion, QUESTION } from '../models.mjs';
import { quantile, Server } from '../server.mjs';

const resident = async (server) => (await server.get('/api/health')).json.memory.residentBytes / 2 ** 20;

export default {
  name: 'load',
  title: 'health, page and posts while a long run computes; hundreds of runs under small limits',
  async run(world) {
    const models = world.make('models');
    deepModel(models);
    const limits = { STATESCOPE_RUN_MEMORY_MB: '256', STATESCOPE_DATA_MB: '16' };
    const server = await Server.start(world, { data: world.make('data'), models: [models], env: limits });
    await server.kept(await server.run(QUESTION));
    const heavy = await server.run(longQuestion(world.quick ? 600 : 900));
    const over = server.ended(heavy);
    const [health, page] = await Promise.all([server.pulse('/api/health', over), server.pulse('/', over, 150)]);
    world.figure('health while a run computes, p99', quantile(health, 0.99), 'ms');
    world.figure('the page while a run computes, p99', quantile(page, 0.99), 'ms');
    world.count('requests while a run computed', health.length + page.length);

    const second = await server.run(longQuestion(world.quick ? 600 : 900));
    const posts = await Promise.all(Array.from({ length: 50 }, () => server.post('/api/runs', QUESTION)));
    const times = posts.map(({ ms }) => ms);
    world.figure('50 posts at once while a run computes, p99', quantile(times, 0.99), 'ms');
    const answered = posts.every(({ status }) => status === 202 || status === 503);
    world.check(
      '50 posts at once are accepted or told that the queue is full',
      answered,
      posts.map(({ status }) => status),
    );
    const accepted = posts.filter(({ status }) => status === 202).map(({ json }) => json.id);
    world.check('no more runs are accepted than may wait', accepted.length <= 20, accepted.length);
    world.count('bad inputs', posts.length - accepted.length);
    await server.ended(second, ...accepted);

    const before = await resident(server);
    const rounds = world.quick ? 20 : 150;
    for (let i = 0; i < rounds; i += 1) await server.ended(await server.run(QUESTION));
    const after = await resident(server);
    world.figure(`memory after ${rounds} runs more`, after - before, 'MB');
    world.check('runs under a limit do not take the memory', after - before < 600, `${before} → ${after} MB`);
    const { runs } = await server.list();
    const bytes = runs.filter(({ kept }) => kept).reduce((sum, run) => sum + run.bytes, 0);
    world.check('the disk keeps its limit', bytes <= 17 * 2 ** 20, `${bytes} bytes`);
    world.count('runs computed under load', rounds + accepted.length + 2);
    await server.stop();
  },
};
