import net from 'node:net';
import { QUESTION } from '../models.mjs';
import { Server } from '../server.mjs';
import { sleep } from '../world.mjs';

const PATHS = [
  '/api/runs/__proto__',
  '/api/runs/%00',
  '/api/runs/..%2f..%2fetc',
  '/api/runs/%F0%9F%92%A9/map?layer=0',
  '/api/runs/x/map?layer=1e3',
  '/api/runs/x/map?layer=999999999999999999999',
  '/api/analyses/%00',
  '/api/runs/%00/events',
  '/api/vocabulary?model=demo-mamba2&limit=1e6&q=%00',
  '/api/vocabulary?model=%00',
  '/api/runs/x/export?what=map&format=__proto__',
  '/api/%2e%2e/%2e%2e/etc/passwd',
  '/_next/static/..%2f..%2f..%2fpackage.json',
  '/_next/static/%2e%2e/%2e%2e/package.json',
  '/..%5c..%5cpackage.json',
  `/api/runs/${'a'.repeat(8000)}`,
  '/api/runs/%',
];

const BODIES = [
  ['not JSON', '{'],
  ['two million brackets', '['.repeat(2_000_000) + ']'.repeat(2_000_000)],
  [
    'a prototype',
    '{"__proto__":{"state":"done"},"constructor":{"prototype":{"x":1}},"models":["demo-mamba2"],"prompt":"","target":"x"}',
  ],
  ['4.3 MB', JSON.stringify({ ...QUESTION, prompt: 'a'.repeat(4_300_000) })],
  ['4 MB', JSON.stringify({ ...QUESTION, prompt: 'a '.repeat(2_090_000) })],
  ['100,000 tokens', JSON.stringify({ ...QUESTION, prompt: 'Mary '.repeat(100_000) })],
  ['no model', JSON.stringify({ ...QUESTION, models: ['\0'] })],
  ['a model of everybody', JSON.stringify({ ...QUESTION, models: ['__proto__'] })],
  ['a path for a model', JSON.stringify({ ...QUESTION, models: ['../../etc'] })],
];

/** Connections that begin a request and never end it. @returns how many are still open. */
function halfSent(world, port, count, text) {
  const sockets = Array.from({ length: count }, () => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.resume();
    return socket;
  });
  world.defer(() => {
    for (const socket of sockets) socket.destroy();
  });
  return () => sockets.filter((socket) => !socket.destroyed).length;
}

async function odd(world, server) {
  for (const path of PATHS) {
    const { status, bytes } = await server.get(path);
    const refused = status >= 400 && status < 500;
    world.check(
      'odd paths are refused as such',
      refused || (path.startsWith('/api/vocabulary') && status === 200),
      `${path.slice(0, 80)}: ${status} ${bytes.subarray(0, 200)}`,
    );
  }
  for (const [name, body] of BODIES) {
    const { status } = await server.send('/api/runs', { method: 'POST', body });
    world.check('odd bodies are refused as such', status >= 400 && status < 500, `${name}: ${status}`);
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', ''])
    for (const path of ['/api/runs', '/api/generate', '/api/analyses', '/api/models']) {
      const { status } = await server.post(path, QUESTION, { headers: { 'content-type': type } });
      world.check(
        'bodies that a foreign form can send are refused',
        status >= 400 && status < 500,
        `${type} ${path}: ${status}`,
      );
    }
  for (const method of ['TRACE', 'PUT', 'OPTIONS', 'PROPFIND'])
    for (const path of ['/', '/api/runs', '/api/health']) {
      const answer = await server.send(path, { method }).catch((error) => ({ status: error.message }));
      world.check(
        'methods that nobody needs are refused as such',
        answer.status < 500,
        `${method} ${path}: ${answer.status}`,
      );
    }
  world.count('bad inputs', PATHS.length + BODIES.length + 12 + 12);
}

async function names(world, server) {
  const id = await server.run(QUESTION);
  await server.kept(id);
  const name = JSON.stringify({ name: 'a\u0000b' });
  const { status } = await server.send(`/api/runs/${id}`, { method: 'PATCH', body: name });
  const { json } = await server.get(`/api/runs/${id}`);
  const { runs } = await server.list();
  const listed = runs.find((run) => run.id === id).name;
  world.check(
    'a name with a NUL is refused, or means the same everywhere',
    status >= 400 ? status < 500 && !json.name : json.name === listed,
    `${status} ${json.name} ${listed}`,
  );
}

/** As many generations and event streams as a page never opens. */
async function crowds(world, server) {
  const generation = { model: 'demo-mamba2', prompt: QUESTION.prompt, max_new_tokens: 500 };
  const answers = await Promise.all(Array.from({ length: 100 }, () => server.post('/api/generate', generation)));
  const accepted = answers.filter(({ status }) => status === 200).length;
  const refused = answers.filter(({ status }) => [429, 503].includes(status)).length;
  world.check(
    'of 100 generations at once at most a queue is accepted',
    accepted >= 1 && accepted <= 21,
    `${accepted} accepted`,
  );
  world.check('of 100 generations at once all others are refused', accepted + refused === 100, `${refused} refused`);
  world.count('bad inputs', 100);
  await world.until('the queue is empty', async () => (await server.get('/api/health')).json?.queue === 0);

  const id = await server.run(QUESTION);
  const streams = Array.from({ length: 300 }, () => server.events(`/api/runs/${id}/events`));
  const { json, ms } = await server.get('/api/health');
  world.check('health answers beside 300 event streams', json?.status === 'ready', json);
  world.figure('health beside 300 event streams', ms, 'ms');
  await world.until('the event streams end with their run', () => streams.every(({ ended }) => ended));
  for (const stream of streams) stream.close();
  world.count('event streams opened', 300);
}

export default {
  name: 'hostile-requests',
  title: 'odd paths, bodies, methods, names, half-sent requests and crowds',
  async run(world) {
    const server = await Server.start(world, { data: world.make('data') });
    const body =
      'POST /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{"models":';
    const bodies = halfSent(world, server.port, 100, body);
    const heads = halfSent(world, server.port, 100, 'GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ');
    const { json } = await server.get('/api/health');
    world.check('health answers beside 200 half-sent requests', json?.status === 'ready', json);
    world.count('bad inputs', 200);
    await odd(world, server);
    await names(world, server);
    await crowds(world, server);
    if (!world.quick) {
      await world.until('half-sent requests are closed', () => bodies() + heads() === 0, 90);
      world.check('half-sent requests are closed in time', true);
    }
    await sleep(200);
    await server.stop();
    world.check('the log has no stack', !/\n\s+at .+:\d+:\d+/.test(server.log), server.log.slice(-1500));
  },
};
