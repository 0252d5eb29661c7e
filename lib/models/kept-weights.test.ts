import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAvailable } from '@/kernels/native/addon';
import type { NativeBackend } from '@/kernels/native/backend';
import { type Checkpoint, loadCheckpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { saveHfCheckpoint } from '@/lib/checkpoint/save-hf';
import { openDevice } from '@/lib/engine';
import { Random } from '@/lib/random';
import { initialCheckpoint } from '@/lib/training/initialise';
import { ADD_ON, needs } from '@/testing/needs';
import { createModel, isMatrix, keptFormat } from './model';

const JSON_CONFIG = { model_type: 'mamba2', hidden_size: 16, num_hidden_layers: 2, vocab_size: 40 };
const TOKENS = [[1, 5, 9, 2, 7, 3]];

let folder: string;
let wide: Checkpoint;
let kept: Checkpoint;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'statescope-kept-'));
  const config = parseConfig({ ...JSON_CONFIG, head_dim: 8, state_size: 4, n_groups: 1 }, new Map());
  const { tensors } = initialCheckpoint(config, new Random(3), 'kept');
  const stored = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, dtype: 'bfloat16' as const }]));
  await saveHfCheckpoint(join(folder, 'kept'), config, stored);
  wide = await loadCheckpoint(join(folder, 'kept'));
  kept = await loadCheckpoint(join(folder, 'kept'), 'kept', { keepBits: true });
});
afterAll(() => rmSync(folder, { recursive: true }));

const logitsOf = (checkpoint: Checkpoint, weights: 'file' | 'float32' | 'bf16') => {
  const model = createModel(checkpoint, { weights });
  const logits = tf.tidy(() => Array.from(model.forward(TOKENS).dataSync()));
  return { model, logits };
};

describe('a checkpoint that is stored in bfloat16', () => {
  it('is kept in its 16 bits, with the values that it would be widened to', () => {
    expect([...kept.tensors.values()].every(({ bits, dtype }) => bits && dtype === 'bfloat16')).toBe(true);
    expect([...wide.tensors.values()].some(({ bits }) => bits)).toBe(false);
    for (const [name, { data }] of wide.tensors) expect(kept.tensors.get(name)?.data).toEqual(data);
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
        'bf16',
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
});
