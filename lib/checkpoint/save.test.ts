import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelCases } from '@/testing/references';
import { parseConfig } from './config';
import { loadCheckpoint } from './load';
import { type SavedTensor, saveCheckpoint } from './save';
import { expectedTensors } from './schema';
import { InputError } from './types';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'statescope-save-'));
});
afterAll(() => rm(root, { recursive: true }));

const hybrid = parseConfig(
  {
    model_type: 'mamba2',
    hidden_size: 8,
    head_dim: 4,
    n_groups: 1,
    state_size: 3,
    num_hidden_layers: 3,
    vocab_size: 7,
    tie_word_embeddings: false,
    diffmamba: true,
    diffmamba_settings: 'alternate',
  },
  new Map(),
);

function tensorsWith(value: (i: number) => number): Map<string, SavedTensor> {
  return new Map(
    [...expectedTensors(hybrid)].map(([name, shape]) => {
      return [
        name,
        { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i)) },
      ];
    }),
  );
}

const bits = ({ data }: SavedTensor) => Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length));

describe('saving', () => {
  it('loads back bit for bit, config included, in folders that did not exist', async () => {
    const folder = join(root, 'deep', 'model');
    const tensors = tensorsWith((i) => Math.fround(Math.sin(i) * 10 ** ((i % 60) - 35)));
    await saveCheckpoint(folder, hybrid, tensors, { metadata: { step: '3' } });
    const loaded = await loadCheckpoint(folder);
    expect(loaded.config).toEqual({ ...hybrid, format: 'statescope' });
    expect([...loaded.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, tensor] of tensors) expect(bits(loaded.tensors.get(name) as SavedTensor)).toEqual(bits(tensor));
    expect(await readdir(join(root, 'deep'))).toEqual(['model']);
    expect((await stat(folder)).mode & 0o055).not.toBe(0);
  });

  it('replaces the files of an existing folder and leaves others alone', async () => {
    const folder = join(root, 'again');
    const tokenizerPath = join(root, 'tokenizer.json');
    await writeFile(tokenizerPath, '{"version":"1.0"}');
    await writeFile(join(root, 'tokenizer_config.json'), '{"add_bos_token":false}');
    await saveCheckpoint(
      folder,
      hybrid,
      tensorsWith(() => 1),
    );
    await writeFile(join(folder, 'metrics.jsonl'), '{}\n');
    await writeFile(join(folder, 'pytorch_model.bin'), 'old');
    await saveCheckpoint(
      folder,
      hybrid,
      tensorsWith(() => 2),
      { tokenizerPath },
    );
    await saveCheckpoint(
      folder,
      hybrid,
      tensorsWith(() => 3),
      { tokenizerPath: join(folder, 'tokenizer.json') },
    );
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'metrics.jsonl',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    const loaded = await loadCheckpoint(folder);
    expect(loaded.tensors.get('backbone.norm_f.weight')?.data[0]).toBe(3);
    expect(await readFile(loaded.tokenizerPath as string, 'utf8')).toBe('{"version":"1.0"}');
  });

  it('refuses tensors that do not fit and leaves nothing behind', async () => {
    const tensors = tensorsWith(() => 0);
    tensors.delete('lm_head.weight');
    const folder = join(root, 'refused');
    await expect(saveCheckpoint(folder, hybrid, tensors)).rejects.toThrow(InputError);
    await expect(
      saveCheckpoint(
        folder,
        hybrid,
        tensorsWith(() => 0),
        { tokenizerPath: join(root, 'none.json') },
      ),
    ).rejects.toThrow();
    expect((await readdir(root)).filter((name) => name.includes('refused'))).toEqual([]);
  });
});

it.each(modelCases())('$name is the same after saving and loading', async ({ name, folder: source }) => {
  const original = await loadCheckpoint(source);
  const folder = join(root, name);
  await saveCheckpoint(folder, original.config, original.tensors);
  const copy = await loadCheckpoint(folder);
  expect(copy.config).toEqual({ ...original.config, format: 'statescope' });
  for (const [key, tensor] of original.tensors) {
    expect(bits(copy.tensors.get(key) as SavedTensor)).toEqual(bits(tensor));
  }
});
