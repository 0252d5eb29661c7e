import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort, PLAIN_DOOR } from '../scripts/lib/serve.mjs';

/** The number of this worker, which has the server of this number to itself. Playwright reads its configuration anew in each. */
export const OWN = Number(process.env.TEST_PARALLEL_INDEX ?? 0);
/** Where the server of a worker keeps its runs. */
export const dataOf = (worker: number) => `test-results/data-${worker}`;

export interface OwnServer {
  readonly process: ChildProcess;
  readonly port: number;
  readonly url: string;
  /** What it has written so far. */
  readonly log: () => string;
  /** Kills all that is left of it. */
  readonly stop: () => void;
  /** Sends a signal to the process, or to all that it has started as a terminal does. @returns exit code or signal, and how long it took in ms. */
  readonly end: (
    signal: NodeJS.Signals,
    to?: 'process' | 'group',
  ) => Promise<{ code: number | null; signal: string | null; ms: number }>;
}

/** The command of a server of its own; it is not waited for. */
export async function launch(env: Record<string, string>, command = ['node', 'scripts/start.mjs']): Promise<OwnServer> {
  const port = await freePort();
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...PLAIN_DOOR, PORT: String(port), STATESCOPE_DATA: 'none', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data) => {
      log += data;
    });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    process: child,
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => log,
    stop: () => {
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch {
        // Nothing is left.
      }
    },
    end: async (sent, to = 'process') => {
      const begun = Date.now();
      process.kill(to === 'group' ? -(child.pid as number) : (child.pid as number), sent);
      const [code, signal] = await exited;
      return { code, signal, ms: Date.now() - begun };
    },
  };
}

/** A server of its own on a free port, once its device is open. */
export async function serve(env: Record<string, string>, command?: string[]): Promise<OwnServer> {
  const server = await launch(env, command);
  const headers: HeadersInit = env.STATESCOPE_TOKEN ? { authorization: `Bearer ${env.STATESCOPE_TOKEN}` } : {};
  for (;;) {
    const answer = await fetch(`${server.url}/api/health`, { headers }).catch(() => null);
    if (answer?.ok && (await answer.json()).status === 'ready') return server;
    if (server.process.exitCode !== null) throw new Error(`The server did not start:\n${server.log()}`);
    await wait(100);
  }
}
