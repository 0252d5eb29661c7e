import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelCases } from '@/testing/references';
import { loadCheckpoint } from './load';
import { saveHfCheckpoint } from './save-hf';
import type { Checkpoint, CheckpointTensor, ModelConfig } from './types';

const folders = new Map(modelCases().map(({ name, folder }) => [name, folder]));
const names = [...folders.keys()].filter((name) => !name.startsWith('statescope'));
const checkpointOf = (name: string) => loadCheckpoint(folders.get(name) as string);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'save-hf-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const bytes = ({ data }: CheckpointTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

const jsonOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8').replaceAll(/-?Infinity/g, '"$&"'));

const HF_FORMAT = { 'official-mamba': 'hf-mamba', 'official-mamba2': 'hf-mamba2' } as Record<string, string>;

describe('a model saved as Hugging Face reads it', () => {
  it.each(names)('%s comes back bit for bit', async (name) => {
    const before = await checkpointOf(name);
    const target = join(scratch, name);
    await saveHfCheckpoint(target, before.config, before.tensors, { source: before.path });
    const after = await loadCheckpoint(target);
    const { format } = before.config;
    expect(after.config).toEqual({ ...before.config, format: HF_FORMAT[format] ?? format });
    expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort());
    for (const [tensor, was] of before.tensors) {
      const is = after.tensors.get(tensor) as CheckpointTensor;
      expect(is.dtype, tensor).toBe(was.dtype);
      expect(bytes(is).equals(bytes(was)), tensor).toBe(true);
    }
    const again = `${target}-again`;
    await saveHfCheckpoint(again, after.config, after.tensors, { source: target });
    for (const file of ['config.json', 'model.safetensors'])
      expect(readFileSync(join(again, file)).equals(readFileSync(join(target, file))), file).toBe(true);
  });

  it('describes the model by the fields and number types that Python expects', async () => {
    const { config, tensors, path } = await checkpointOf('hf-diffmamba2-all');
    const target = join(scratch, 'fields');
    await saveHfCheckpoint(target, config, tensors, { source: path });
    const original = jsonOf(path);
    const written = jsonOf(target);
    const unused = ['chunk_size', 'time_step_rank'];
    for (const field of Object.keys(original).filter((name) => !unused.includes(name)))
      expect([field, written[field]]).toEqual([field, original[field]]);
    expect(readFileSync(join(target, 'config.json'), 'utf8')).toMatch(/"time_step_limit": \[\s*0\.0,\s*Infinity\s*\]/);
  });

  it('rounds changed values to the dtype of the tensor, ties to even', async () => {
    const { config, tensors } = await checkpointOf('hf-mamba2-groups');
    const name = 'backbone.norm_f.weight';
    const norm = tensors.get(name) as CheckpointTensor;
    const data = norm.data.slice();
    data.set([1 + 2 ** -8, 1 + 3 * 2 ** -8, -(1 + 2 ** -7), 3.3e38]);
    const target = join(scratch, 'rounded');
    await saveHfCheckpoint(target, config, new Map(tensors).set(name, { ...norm, data, dtype: 'bfloat16' }));
    const saved = (await loadCheckpoint(target)).tensors.get(name) as CheckpointTensor;
    expect(saved.dtype).toBe('bfloat16');
    expect([...saved.data.slice(0, 3)]).toEqual([1, 1 + 2 ** -6, -(1 + 2 ** -7)]);
    expect(saved.data[3] / 3.3e38).toBeCloseTo(1, 2);
    const half = new Map(tensors).set(name, { ...norm, data, dtype: 'float16' });
    await expect(saveHfCheckpoint(target, config, half)).rejects.toThrow(/norm_f.*too large for float16/);
  });
});

describe('a model that no Hugging Face format holds', () => {
  const refused = (checkpoint: Checkpoint, config: Partial<ModelConfig> = {}) =>
    saveHfCheckpoint(join(scratch, 'never'), { ...checkpoint.config, ...config }, checkpoint.tensors);

  it('is refused with the way out, and nothing is written', async () => {
    await expect(refused(await checkpointOf('statescope-diff-mamba1-sigmoid'))).rejects.toThrow(
      /diff_mamba1.*own format/,
    );
    const diff = await checkpointOf('hf-diffmamba2-all');
    const otherInit = diff.config.blocks.map((block) => ({ ...block, lambdaInit: 0.5 }));
    await expect(refused(diff, { blocks: otherInit })).rejects.toThrow(/Block 0 has a λ/);
    const plain = await checkpointOf('hf-mamba2-groups');
    await expect(refused(plain, { epsilon: 1e-6 })).rejects.toThrow(/equal sizes/);
    expect(existsSync(join(scratch, 'never'))).toBe(false);
  });
});
