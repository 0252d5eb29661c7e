import { bombModel, QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';

export default {
  name: 'regex-bomb',
  title: 'a tokenizer whose regular expression never ends',
  async run(world) {
    const models = world.make('models');
    bombModel(models);
    const server = await Server.start(world, { data: 'none', models: [models] });
    const text = `${'a'.repeat(40)}!`;
    const bomb = server.post('/api/tokenize', { model: 'bomb', text }).catch((error) => ({ status: error.message }));
    const list = await server.get('/api/models');
    const { status, ms } = await bomb;
    world.check('the list of models answers beside it, and first', list.status === 200 && list.ms < ms, [list, ms]);
    world.check('it is refused in time', status === 422, status);
    world.figure('a regular expression without end until its answer', ms ?? 0, 'ms');
    // Each takes the time after which a thread is given up.
    for (const path of world.quick ? [] : ['/api/estimate', '/api/runs']) {
      const answer = await server.post(path, { models: ['bomb'], prompt: text, target: 'kitchen' });
      world.check('a run with it is refused', answer.status === 422, answer.status);
    }
    world.count('bad inputs', 3);
    const id = await server.run(QUESTION);
    await server.ended(id);
    const { json } = await server.get(`/api/runs/${id}`);
    world.check('other models compute afterwards', json.state === 'done', json);
    const health = await server.get('/api/health');
    world.check('health says ready once the thread is there again', health.json?.status === 'ready', health.json);
    server.post('/api/tokenize', { model: 'bomb', text }).catch(() => undefined);
    server.signal('SIGTERM');
    const gone = await server.gone();
    world.check('a signal ends the server while it runs', gone < 10_000, `${gone} ms`);
  },
};
