import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from './root.mjs';

/** The door as it stands by itself, whatever the shell says: for servers that tests and tools start for themselves. */
export const PLAIN_DOOR = {
  STATESCOPE_HOST: '',
  STATESCOPE_TOKEN: '',
  STATESCOPE_ALLOWED_HOSTS: '',
  STATESCOPE_TRUST_PROXY: '',
  STATESCOPE_READ_ONLY: '',
  STATESCOPE_FRAMED_BY: '',
};

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Starts the production server as `npm start` does, and resolves once it answers. */
export async function startServer(port, env = {}) {
  const server = spawn(process.execPath, [join(ROOT, 'scripts', 'start.mjs')], {
    env: { ...process.env, ...PLAIN_DOOR, ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/health`).catch(() => null);
    if (answer?.ok) return server;
    if (server.exitCode !== null) throw new Error('The server did not start: the lines above say why.');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
