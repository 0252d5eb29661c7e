import { spawn } from 'node:child_process';
import { ROOT } from './root.mjs';

/** Runs a command in the clone with its output shown; resolves to its exit code. */
export function run(command, args, { env = {}, stdio = 'inherit' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio, env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0)));
  });
}

/** The same, with its output kept until it ends, so that commands side by side do not write into each other's lines. */
export function runHeld(command, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const held = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => held.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.stderr.write(Buffer.concat(held));
      resolve(code ?? (signal ? 1 : 0));
    });
  });
}

/** The same as `run`, but a failure ends the whole command with one line. */
export async function mustRun(what, command, args, { held = false, ...options } = {}) {
  const code = await (held ? runHeld : run)(command, args, options);
  if (code !== 0) throw new Error(`${what} failed (exit ${code}): the lines above say why.`);
}

export const say = (line) => process.stderr.write(`statescope: ${line}\n`);
