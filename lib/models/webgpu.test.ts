import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { registerWebgpu } from '@/kernels/webgpu/register';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { loadCheckpoint } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { openDevice } from '@/lib/engine';
import { createModel, disposeState, extend, lossAndGradients } from '@/lib/models';
import { ADAPTER, needs } from '@/testing/needs';
import { referenceCases } from './testing/fixtures';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

/** One case of each recurrence: a software adapter compiles programs slowly. */
const names = ['statescope-diff-mamba1-sigmoid', 'hf-mamba2-groups'];
const cases = referenceCases().filter(({ name }) => names.includes(name));

function worst(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  const top = Math.max(...Array.from(expected, Math.abs));
  return Math.max(...Array.from(expected, (value, i) => Math.abs(got[i] - value))) / (top || 1);
}

describe('whole models on WebGPU', needs(adapter, ADAPTER), () => {
  beforeAll(() => openDevice({ device: 'webgpu' }));

  it.each(cases.map((c) => [c.name, c] as const))('%s gives the activations of the reference', async (_, c) => {
    const model = createModel(await loadCheckpoint(c.folder));
    const expected = await readSafetensors(join(c.folder, 'expected.safetensors'));
    const { logits, cache } = model.runWithCache(c.tokens, { names: ['hook_*', 'blocks.*.hook_resid_*'] });
    for (const [name, value] of cache)
      expect(worst(value.dataSync(), expected.get(name)?.data as Float32Array), name).toBeLessThan(1e-3);
    tf.dispose([logits, ...cache.values()]);
    model.dispose();
  });

  it('reads a text in pieces, whole mixers going on from the state, as in one pass', async () => {
    const model = createModel(await loadCheckpoint(cases[1].folder));
    const tokens = Array.from({ length: 80 }, (_, t) => (t * t + 3) % model.config.V);
    const whole = model.forward([tokens], { logits: 'last' }).dataSync();
    const first = extend(model, [tokens.slice(0, 70)]);
    const second = extend(model, [tokens.slice(70)], first.state);
    expect(worst(second.logits.dataSync(), whole)).toBeLessThan(1e-5);
    tf.dispose([first.logits, second.logits]);
    disposeState(first.state);
    disposeState(second.state);
    model.dispose();
  });

  it('reads nothing back before the gradients of a whole model are there', async () => {
    const [{ folder, tokens }] = cases;
    const model = createModel(await loadCheckpoint(folder));
    const ids = tf.tensor2d(tokens, undefined, 'int32');
    const backend = tf.backend();
    const { readSync } = backend;
    backend.readSync = () => {
      throw new Error('a read-back');
    };
    const { loss, gradients } = lossAndGradients(model, ids);
    backend.readSync = readSync;
    expect(Number.isFinite(loss.dataSync()[0])).toBe(true);
    expect(gradients.size).toBe(model.parameters.size);
    tf.dispose([loss, ids, ...gradients.values()]);
    model.dispose();
  });
});
