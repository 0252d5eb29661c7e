import { byteModel } from '../models.mjs';
import { Server } from '../server.mjs';

const L = 262_144;

const TEXTS = {
  'one letter': 'a'.repeat(L),
  spaces: ' '.repeat(L),
  'line ends': '\n'.repeat(L),
  quotes: "'".repeat(L),
  digits: '1'.repeat(L),
  'combining marks': `e${'\u0301'.repeat(L - 1)}`,
  'marks of two classes': `e${'\u0301\u0323'.repeat(L / 2 - 1)}`,
  Hangul: '각'.repeat(L),
  'Hangul in parts': '\u1100\u1161\u11a8'.repeat(L / 3),
  emoji: '😀'.repeat(L / 2),
  families: '👩‍👩‍👧‍👦'.repeat(2000),
  'a ligature of eighteen letters': 'ﷺ'.repeat(L),
  'lone surrogates': '\ud800'.repeat(1000),
  'mixed surrogates': 'a\ud800b\udc00c',
  'a NUL': 'a\0b',
  'right to left': '\u202eabc\u202c שלום',
  'a byte-order mark': '\ufeffabc',
  'special tokens': '<|endoftext|>'.repeat(20_000),
};

export default {
  name: 'hostile-texts',
  title: 'texts that cost a tokenizer more than their length says',
  async run(world) {
    const models = world.make('models');
    byteModel(models);
    const server = await Server.start(world, { data: 'none', models: [models] });
    await server.post('/api/tokenize', { model: 'bytes', text: 'warm' });
    for (const [name, text] of world.random.shuffled(Object.entries(TEXTS)))
      for (const model of ['bytes', 'demo-mamba2']) {
        const { status, ms } = await server.post('/api/tokenize', { model, text });
        world.count('bad inputs');
        world.check(`${name}: tokens or a refusal`, [200, 413, 422].includes(status), `${model}: ${status}`);
        world.check('no text keeps the thread for seconds', ms < 10_000, `${name} under ${model}: ${ms.toFixed(0)} ms`);
        world.figure('the slowest text until its answer', ms, 'ms');
      }
    const text = TEXTS['combining marks'];
    const estimate = server.post('/api/estimate', { models: ['bytes'], prompt: text, target: 'a' });
    const list = await server.get('/api/models');
    world.check(
      'the list of models answers beside 262,143 combining marks',
      list.status === 200 && list.ms < 10_000,
      list.ms,
    );
    world.figure('the list of models beside 262,143 combining marks', list.ms, 'ms');
    const { status } = await estimate;
    world.check('262,143 combining marks are refused as a prompt', [413, 422].includes(status), status);
    await server.stop();
  },
};
