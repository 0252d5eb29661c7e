import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Random } from '@/lib/random';
import { writeWhole } from '@/lib/server/archive/whole-file';
import { initialCheckpoint } from '@/lib/training/initialise';
import { saveTrainingState } from '@/lib/training/state';
import { parseConfig } from './config';
import { saveCheckpoint } from './save';

/** What is brought to the disk, and what gets its name, in the order in which it happens. */
const calls = vi.hoisted(() => [] as string[]);

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    async open(path: string, ...rest: [string?]) {
      const handle = await real.open(path, ...rest);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        calls.push(`sync ${path}`);
        return sync();
      };
      return handle;
    },
    async writeFile(path: string, data: Uint8Array, options?: { flush?: boolean }) {
      if (options?.flush) calls.push(`sync ${path}`);
      return real.writeFile(path, data, options);
    },
    async rename(from: string, to: string) {
      calls.push(`name ${to}`);
      return real.rename(from, to);
    },
  };
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statescope-durable-'));
});
beforeEach(() => {
  calls.length = 0;
});
afterAll(() => rm(folder, { recursive: true }));

/** Names without the process's own part of what is being written. */
const seen = () => calls.map((call) => call.replace(/\.(partial-[\w.-]+|part)$/, ' draft').replaceAll(folder, ''));

describe('what must survive a power cut', () => {
  it('is on the disk before it has its name, and its name before anybody is told: a state of training', async () => {
    const state = {
      progress: { step: 1, stage: 0, stageStep: 1, place: { row: 0, read: [1] } },
      optimizer: { step: 1, moments: new Map() },
      parameters: new Map([['w', Float32Array.of(1, 2)]]),
    };
    await saveTrainingState(folder, state);
    const file = '/training-state.safetensors';
    expect(seen()).toEqual([`sync ${file} draft`, `name ${file}`, 'sync ']);
  });

  it('a new checkpoint with its folder', async () => {
    const sizes = { hidden_size: 8, num_hidden_layers: 1, vocab_size: 4, head_dim: 4, state_size: 4, n_groups: 1 };
    const config = parseConfig({ model_type: 'mamba2', ...sizes }, new Map());
    await writeFile(join(folder, 'tokenizer.json'), '{}');
    const options = { tokenizerPath: join(folder, 'tokenizer.json') };
    await saveCheckpoint(join(folder, 'new'), config, initialCheckpoint(config, new Random(1), 'new').tensors, options);
    const found = seen();
    for (const file of ['config.json', 'tokenizer.json', 'model.safetensors']) {
      const [synced, named] = ['sync', 'name'].map((what) =>
        found.findIndex((call) => call.startsWith(what) && call.includes(`/${file}`)),
      );
      expect(synced, file).toBeGreaterThanOrEqual(0);
      expect(named, file).toBeGreaterThan(synced);
    }
    expect(found.slice(-2)).toEqual(['name /new', 'sync ']);
  });

  it('a file of the store with the folders that were made for it', async () => {
    await writeWhole(join(folder, 'runs', '0123abcd', 'run.json'), new Uint8Array(3));
    const file = '/runs/0123abcd/run.json';
    expect(seen()).toEqual([`sync ${file} draft`, `name ${file}`, 'sync /runs/0123abcd', 'sync /runs', 'sync ']);
    calls.length = 0;
    await writeWhole(join(folder, 'runs', '0123abcd', 'run.json'), new Uint8Array(4));
    expect(seen()).toEqual([`sync ${file} draft`, `name ${file}`, 'sync /runs/0123abcd']);
  });
});
