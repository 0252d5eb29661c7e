import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { DEVICES, type DeviceName, openDevice } from '@/lib/engine';
import { createModel, lossAndGradients, type Model } from '@/lib/models';
import { skipFor } from '@/testing/needs';
import { referenceCases } from './testing/fixtures';

const cases = referenceCases();
/** WebGPU has a test of its own, which brings an adapter along. */
const tested: DeviceName[] = DEVICES.filter((device) => device !== 'wasm' && device !== 'webgpu');

const trainingOf = (folder: string) => join(folder, 'training.safetensors');

/** One case of each kind of block, those with gradients first. */
function oneOfEachKind(): typeof cases {
  const seen = new Set<string>();
  const withGradients = cases.filter(({ folder }) => existsSync(trainingOf(folder)));
  return [...withGradients, ...cases].filter(({ blocks }) => {
    const isNew = blocks.some((kind) => !seen.has(kind));
    for (const kind of blocks) seen.add(kind);
    return isNew;
  });
}

/** TensorFlow takes a call for every small operation of a hooked pass, so all cases would take it minutes. */
const casesOn = (device: DeviceName) => (device === 'tensorflow' ? oneOfEachKind() : cases);

/** max|got − expected| / max|expected|, as the reference values are meant to be compared. */
async function relativeError(got: tf.Tensor, expected: ArrayLike<number>): Promise<number> {
  const values = await got.data();
  let worst = 0;
  let top = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(values[i] - expected[i]);
    if (!(error <= worst)) worst = error;
    top = Math.max(top, Math.abs(expected[i]));
  }
  return top > 0 ? worst / top : worst;
}

async function expectAll(got: ReadonlyMap<string, tf.Tensor>, file: string, prefix: string, tolerance: number) {
  for (const [name, { shape, data }] of await readSafetensors(file)) {
    if (!name.startsWith(prefix)) continue;
    const value = got.get(name.slice(prefix.length));
    expect(value?.shape, `shape of ${name}`).toEqual([...shape]);
    expect(await relativeError(value as tf.Tensor, data as Float32Array), name).toBeLessThan(tolerance);
  }
}

describe.each(tested)('on %s', (device) => {
  /** What the device lacks, in its own words. */
  let missing: string | undefined;
  beforeAll(async () => {
    try {
      await openDevice({ device });
    } catch (error) {
      missing = `the ${device} device: ${(error as Error).message}`;
    }
  });

  describe.each(casesOn(device))('$name', ({ folder, tokens, tolerance, greedy }) => {
    let model: Model;
    beforeAll(async () => {
      if (!missing) model = createModel(await loadCheckpoint(folder));
    });
    afterAll(() => model?.dispose());

    it('gives the logits and every activation of the reference', async (context) => {
      if (missing) return skipFor(context, missing);
      // Two passes: asking for states and decays routes a block through the explicit recurrence.
      for (const names of [['*'], ['hook_*', 'blocks.*.hook_resid_*', 'blocks.*.hook_out_proj']]) {
        const { logits, cache } = model.runWithCache(tokens, { names });
        const expected = await readSafetensors(join(folder, 'expected.safetensors'));
        for (const [name, { shape, data }] of expected) {
          if (names[0] !== '*' && !cache.has(name)) continue;
          expect(cache.get(name)?.shape, `shape of ${name}`).toEqual([...shape]);
          const error = await relativeError(cache.get(name) as tf.Tensor, data as Float32Array);
          expect(error, name).toBeLessThan(tolerance);
        }
        tf.dispose([logits, ...cache.values()]);
      }
    });

    it('decodes greedily to the tokens of the reference', (context) => {
      if (missing) return skipFor(context, missing);
      const row = [...greedy.prompt_tokens];
      for (const expected of greedy.new_tokens) {
        const next = tf.tidy(() => model.forward([row], { logits: 'last' }).argMax(-1).dataSync()[0]);
        expect(next).toBe(expected);
        row.push(next);
      }
    });

    const training = trainingOf(folder);
    if (!existsSync(training)) return;
    it('gives the loss and gradients of the reference', async (context) => {
      if (missing) return skipFor(context, missing);
      const ids = tf.tensor2d(tokens, undefined, 'int32');
      const { loss, gradients } = lossAndGradients(model, ids);
      const checkpoint = await loadCheckpoint(folder);
      const named = [...gradients].map(
        ([name, value]) => [checkpoint.tensors.get(name)?.sourceName ?? name, value] as const,
      );
      const expected = await readSafetensors(training);
      expect(await relativeError(loss, expected.get('loss')?.data as Float32Array)).toBeLessThan(1e-5);
      await expectAll(new Map(named), training, 'grad.', 1e-3);
      tf.dispose([loss, ids, ...gradients.values()]);
    });
  });

  it('leaves no tensors behind', async (context) => {
    if (missing) return skipFor(context, missing);
    const model = createModel(await loadCheckpoint(cases[0].folder));
    const before = tf.memory().numTensors;
    model.forward(cases[0].tokens).dispose();
    for (const _ of model.blocksOf(cases[0].tokens)) break;
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});
