import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding, Group, Step } from './step';

const SECONDS = 90;

/** What a line says; nothing of one that the end of the time cut off. */
function lineOf(line: string): Finding[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

/**
 * The same shapes through PyTorch, where a `python3` in PATH has it: transformers' Mamba, and a scan by torch.compile. The
 * script prints a line of JSON for each.
 */
export const peer = (script: string): Group => ({
  name: 'PyTorch',
  elsewhere: true,
  steps: ({ small }): Step[] => [
    {
      name: 'the same shapes through PyTorch',
      seconds: SECONDS + 10,
      run: () => {
        const python = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'python3'));
        const command = python.find((path) => existsSync(path));
        if (!command) return { ok: true, note: 'left out: there is no python3' };
        const { stdout, stderr, status, error } = spawnSync(command, [script, ...(small ? ['--small'] : [])], {
          encoding: 'utf8',
          timeout: SECONDS * 1000,
          killSignal: 'SIGKILL',
        });
        const lines = stdout.split('\n').flatMap(lineOf);
        const missing = lines.find(({ missing }) => missing);
        if (missing) return { ok: true, note: `left out: ${missing.missing}` };
        const why = error?.message ?? stderr.trim().split('\n').at(-1);
        // A peer that fails says nothing about the device.
        return { ok: true, note: status === 0 ? undefined : `python3 ended early: ${why}`, lines };
      },
    },
  ],
});
