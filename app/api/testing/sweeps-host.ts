import { createServer } from 'node:http';
import { service } from '@/lib/server';
import { GET as one, DELETE as remove } from '../sweeps/[id]/route';
import { GET as list, POST as submit } from '../sweeps/route';

/** A process with the routes of sweeps and the service behind them, to be killed. Prints its address once it listens. */

const server = createServer(async (request, response) => {
  const url = `http://127.0.0.1${request.url}`;
  const id = /^\/api\/sweeps\/([^/?]+)$/.exec(request.url ?? '')?.[1];
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = 'GET', headers } = request;
  const asked = new Request(url, {
    method,
    headers: { 'content-type': headers['content-type'] ?? '' },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
  const context = { params: Promise.resolve({ id: id ?? '' }) };
  const answer = await (id === undefined
    ? method === 'POST'
      ? submit(asked)
      : list()
    : method === 'DELETE'
      ? remove(asked, context)
      : one(asked, context));
  response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
});

void service().sweeps.start();
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address && typeof address === 'object') console.error(`listening on http://127.0.0.1:${address.port}`);
});
process.once('SIGTERM', async () => {
  await service().close();
  process.exit(0);
});
