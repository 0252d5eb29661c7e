import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { cleanEnvironment, killGroup } from './server.mjs';

/**
 * One `statescope` command.
 * @param options.killAfter milliseconds after which it is killed with SIGKILL
 * @param options.wrap a command that starts it
 * @returns its exit code (null when it was killed), its signal, what it wrote, and the milliseconds that it took.
 */
export function command(world, args, { killAfter, wrap = [] } = {}) {
  const [program, ...rest] = [...wrap, process.execPath, join(ROOT, 'scripts', 'statescope.mjs'), ...args];
  const start = Date.now();
  const child = spawn(program, rest, { cwd: world.folder, detached: true, env: cleanEnvironment() });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  const timer = killAfter === undefined ? undefined : setTimeout(() => killGroup(child.pid), killAfter);
  world.defer(() => killGroup(child.pid));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, said, ms: Date.now() - start });
    });
  });
}
