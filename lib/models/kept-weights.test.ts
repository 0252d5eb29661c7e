import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import type { NativeBackend } from '@/kernels/native/backend';
import { packing } from '@/kernels/ops';
import type { Backend as WebgpuBackend } from '@/kernels/webgpu/program';
import { registerWebgpu } from '@/kernels/webgpu/register';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { type Checkpoint, loadCheckpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { openFile } from '@/lib/checkpoint/files';
import { readSafetensorsHeader } from '@/lib/checkpoint/safetensors';
import { saveHfCheckpoint } from '@/lib/checkpoint/save-hf';
import { statePickle, torchZip } from '@/lib/checkpoint/torch-zip.fixture';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training/initialise';
import { ADAPTER, ADD_ON, needs } from '@/testing/needs';
import { createModel, keptFormat } from './model';
import { isMatrix, packedBytes, weightBytes, weightCounts } from './weight-format';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

const COMMON = { hidden_size: 16, num_hidden_layers: 2, vocab_size: 40, state_size: 4 };
/** Each kind of mixer has a kernel of its own for one token. */
const CONFIGS = {
  'model.safetensors': { ...COMMON, model_type: 'mamba2', head_dim: 8, n_groups: 1 },
  'pytorch_model.bin': { ...COMMON, model_type: 'mamba' },
};
const TOKENS = [[1, 5, 9, 2, 7, 3]];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'statescope-kept-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const logitsOf = (checkpoint: Checkpoint, weights: 'file' | 'float32' | 'bf16') => {
  const model = createModel(checkpoint, { weights });
  const logits = [TOKENS, [[3]]].flatMap((tokens) => tf.tidy(() => Array.from(model.forward(tokens).dataSync())));
  return { model, logits };
};

/** The same weights as torch.save writes them. */
async function asTorchFile(from: string, to: string, storageType: string): Promise<void> {
  const source = await openFile(join(from, 'model.safetensors'));
  const { entries } = await readSafetensorsHeader(source);
  const plans = [...entries.values()].map(({ name, shape }, i) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((x, y) => x * y, 1));
    return { name, storage: String(i), storageType, elements: shape.reduce((x, y) => x * y, 1), shape, strides };
  });
  const storages: Record<string, Uint8Array> = {};
  for (const [i, { start, end }] of [...entries.values()].entries())
    storages[String(i)] = await source.read(start, end - start);
  await source.close();
  mkdirSync(to);
  cpSync(join(from, 'config.json'), join(to, 'config.json'));
  writeFileSync(join(to, 'pytorch_model.bin'), torchZip(statePickle(plans), storages));
}

describe.each([
  ['bfloat16', 'bf16', 'model.safetensors'],
  ['bfloat16', 'bf16', 'pytorch_model.bin'],
  ['float16', 'fp16', 'model.safetensors'],
  ['float16', 'fp16', 'pytorch_model.bin'],
] as const)('a checkpoint that is stored in %s (%s, %s)', (dtype, format, file) => {
  let wide: Checkpoint;
  let kept: Checkpoint;
  beforeAll(async () => {
    const config = parseConfig(CONFIGS[file], new Map());
    const { tensors } = initialCheckpoint(config, new Random(3), 'kept');
    const [saved, torch] = [join(folder, `${dtype}-${file}`), join(folder, `${dtype}-torch`)];
    await saveHfCheckpoint(saved, config, new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, dtype }])));
    const storage = dtype === 'float16' ? 'HalfStorage' : 'BFloat16Storage';
    if (file === 'pytorch_model.bin') await asTorchFile(saved, torch, storage);
    const opened = file === 'pytorch_model.bin' ? torch : saved;
    wide = await loadCheckpoint(opened);
    kept = await loadCheckpoint(opened, 'kept', { keepBits: true });
  });

  it('is kept in its 16 bits, with the values that it would be widened to', () => {
    expect([...kept.tensors.values()].every((tensor) => tensor.bits && tensor.dtype === dtype)).toBe(true);
    expect([...wide.tensors.values()].some(({ bits }) => bits)).toBe(false);
    for (const [name, { data }] of wide.tensors) expect(kept.tensors.get(name)?.data).toEqual(data);
  });

  it('is counted by the bytes that it takes', () => {
    const own = [...kept.tensors].map(([name, { bits, data }]) =>
      isMatrix(name) ? bits?.byteLength : data.byteLength,
    );
    const counts = weightCounts(kept.tensors, 'file');
    const all = [...wide.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    expect(weightBytes(counts, true)).toBe(own.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0));
    expect([weightBytes(counts, false), weightBytes(weightCounts(kept.tensors, 'float32'), true)]).toEqual([all, all]);
    expect(weightBytes(weightCounts(wide.tensors, 'bf16'), true)).toBe(weightBytes(counts, true));
  });

  it('has projections to pack only where they are float32', () => {
    const packing = { fewestRows: 9, mostRows: 128, budgetBytes: 1e9 };
    const wideProjections = [...wide.tensors]
      .filter(([name]) => isMatrix(name) && !/embeddings|lm_head/.test(name))
      .reduce((sum, [, { data }]) => sum + data.byteLength, 0);
    expect(packedBytes(weightCounts(kept.tensors, 'float32'), 9, packing)).toBe(wideProjections);
    expect(packedBytes(weightCounts(kept.tensors, 'file'), 9, packing)).toBe(0);
    for (const tokens of [8, 129]) expect(packedBytes(weightCounts(wide.tensors, 'file'), tokens, packing)).toBe(0);
    expect(packedBytes(weightCounts(wide.tensors, 'file'), 9, null)).toBe(0);
  });

  it('runs widened on a device that does not compute from 16 bits', async () => {
    await openDevice({ device: 'cpu' });
    expect(keptFormat(kept, 'file')).toBe('float32');
    const [a, b] = [logitsOf(wide, 'float32'), logitsOf(kept, 'file')];
    expect(b.logits).toEqual(a.logits);
    for (const { model } of [a, b]) model.dispose();
  });

  it(
    'runs from its own memory on the native device, to rounding errors of the sums',
    needs(isAvailable, ADD_ON),
    async () => {
      await openDevice({ device: 'native' });
      const backend = tf.backend() as unknown as NativeBackend;
      expect([keptFormat(kept, 'file'), keptFormat(kept, 'float32'), keptFormat(wide, 'file')]).toEqual([
        format,
        'float32',
        'float32',
      ]);
      const [a, b] = [logitsOf(wide, 'float32'), logitsOf(kept, 'file')];
      for (const [name, parameter] of b.model.parameters) {
        const own = backend.halves(parameter);
        if (isMatrix(name)) expect(own, name).toBe(kept.tensors.get(name)?.bits);
        else expect(own, name).toBeUndefined();
      }
      a.logits.forEach((value, k) => {
        expect(b.logits[k]).toBeCloseTo(value, 5);
      });
      const widened = logitsOf(kept, 'float32');
      expect(widened.logits).toEqual(a.logits);
      for (const { model } of [a, b, widened]) model.dispose();
    },
  );

  it('runs in its 16 bits on the GPU, to rounding errors of the sums', needs(adapter, ADAPTER), async () => {
    await openDevice({ device: 'webgpu' });
    const backend = tf.backend() as unknown as WebgpuBackend;
    expect([keptFormat(kept, 'file'), keptFormat(kept, 'float32')]).toEqual([format, 'float32']);
    const [a, b] = [logitsOf(kept, 'float32'), logitsOf(kept, 'file')];
    for (const [name, parameter] of b.model.parameters)
      expect(backend.halfFormat(parameter), name).toBe(isMatrix(name) ? dtype : undefined);
    b.logits.forEach((value, k) => {
      expect(value).toBeCloseTo(a.logits[k], 5);
    });
    for (const { model } of [a, b]) model.dispose();
  });

  it('refuses NaN and infinity in its 16 bits', async () => {
    const path = join(folder, `${dtype}-${file}-broken`);
    mkdirSync(path);
    cpSync(kept.path, path, { recursive: true });
    const bytes = readFileSync(join(path, file));
    const [{ bits }] = [...kept.tensors.values()];
    const at = bytes.indexOf(Buffer.from((bits as Uint16Array).slice(0, 16).buffer));
    bytes.writeUInt16LE(dtype === 'float16' ? 0x7c00 : 0x7f80, at + 6);
    writeFileSync(join(path, file), bytes);
    await expect(loadCheckpoint(path, 'broken', { keepBits: true })).rejects.toThrow(/NaN or infinite/);
  });
});

it(
  'what a device packs of weights that come back is what was said beforehand',
  needs(isAvailable, ADD_ON),
  async () => {
    await openDevice({ device: 'native' });
    const { packed } = tf.backend() as unknown as NativeBackend;
    const checkpoint = await loadCheckpoint('models/demo-diff-mamba2');
    const model = createModel(checkpoint, { weights: 'file' });
    const said = (tokens: number) => packedBytes(weightCounts(checkpoint.tensors, 'file'), tokens, packing());
    const taken = (tokens: number) => {
      const before = packed.heldBytes;
      for (let pass = 0; pass < 14; pass++)
        tf.tidy(() => model.forward([Array.from({ length: tokens }, (_, k) => k % 40)], { logits: 'last' }));
      return packed.heldBytes - before;
    };
    expect([taken(8), said(8), taken(129), said(129)]).toEqual([0, 0, 0, 0]);
    const bytes = taken(40);
    expect(bytes).toBeGreaterThanOrEqual(said(40));
    // Widths that are no multiple of a panel's are padded.
    expect(bytes).toBeLessThan(1.1 * said(40));
    model.dispose();
  },
);
