import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowSoftwareAdapter } from '@/kernels/webgpu/testing/software-adapter';
import { hookPointsOf } from '@/lib/architectures/places';
import { loadCheckpoint } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { DEVICES, type DeviceName, openDevice } from '@/lib/engine';
import { generate } from '@/lib/generation';
import { createModel, disposeState, exportState, extend, importState, joinStates, type Model } from '@/lib/models';
import { skipFor } from '@/testing/needs';
import { hybridCases } from './testing/hybrids';

allowSoftwareAdapter();

/** What is composed of tested operations is left out where it is slow: a software adapter compiles every program slowly. */
const composed = (device: DeviceName) => it.runIf(device !== 'webgpu');
const everyHook = (device: DeviceName) => it.runIf(device !== 'webgpu' && device !== 'wasm');

/** max|got − expected| / max|expected| */
function relativeError(got: tf.Tensor, expected: ArrayLike<number>): number {
  const values = got.dataSync();
  expect(values.length).toBe(expected.length);
  let [worst, top] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(values[i] - expected[i]));
    top = Math.max(top, Math.abs(expected[i]));
    if (Number.isNaN(values[i])) return Number.NaN;
  }
  return worst / top;
}

/** Where a hybrid's reference value is seen; a plain block adds what its mixer gives. */
function pointOf(name: string, has: (name: string) => boolean): string {
  return has(name) ? name : name.replace('hook_mamba_out', 'hook_out_proj');
}

describe.each(DEVICES)('on %s', (device) => {
  let missing: string | undefined;
  beforeAll(async () => {
    try {
      await openDevice({ device });
    } catch (error) {
      missing = `the ${device} device: ${(error as Error).message}`;
    }
  });

  describe.each(hybridCases())('$name', ({ folder, tokens, tolerance, greedy }) => {
    let model: Model;
    beforeAll(async () => {
      if (!missing) model = createModel(await loadCheckpoint(folder));
    });
    afterAll(() => model?.dispose());

    it('gives the logits, residual streams, attention patterns and outputs of modules of the reference', async (context) => {
      if (missing) return skipFor(context, missing);
      const { logits, cache } = model.runWithCache(tokens, { names: ['*'] });
      for (const [name, { shape, data }] of await readSafetensors(join(folder, 'expected.safetensors'))) {
        const values = data as Float32Array;
        if (name !== 'residuals') {
          const point = pointOf(name, (each) => cache.has(each));
          expect(cache.get(point)?.shape, name).toEqual([...shape]);
          expect(relativeError(cache.get(point) as tf.Tensor, values), name).toBeLessThan(tolerance);
          continue;
        }
        const size = values.length / shape[0];
        for (let i = 0; i < shape[0]; i++) {
          const entry = i === 0 ? 'hook_embed' : `blocks.${i - 1}.hook_resid_post`;
          const expected = values.subarray(i * size, (i + 1) * size);
          expect(relativeError(cache.get(entry) as tf.Tensor, expected), entry).toBeLessThan(tolerance);
        }
      }
      tf.dispose([logits, ...cache.values()]);
    });

    composed(device)('writes the tokens of the reference, with and without a state', (context) => {
      if (missing) return skipFor(context, missing);
      for (const cache of [true, false]) {
        const maxNewTokens = greedy.new_tokens.length;
        const { tokens: written, state } = generate(model, [greedy.prompt_tokens], { maxNewTokens, cache });
        if (state) disposeState(state);
        expect(written, cache ? 'with a state' : 'without').toEqual([greedy.new_tokens]);
      }
    });

    composed(device)('reads a text in any pieces to the same logits', (context) => {
      if (missing) return skipFor(context, missing);
      const whole = tf.tidy(() => model.forward(tokens, { logits: 'last' }).dataSync().slice());
      const L = tokens[0].length;
      for (const cuts of [
        [0, 5, L],
        [0, 1, 2, 3, L],
        [0, L - 1, L],
      ]) {
        let state: ReturnType<typeof extend>['state'] | undefined;
        let last: tf.Tensor3D | undefined;
        for (const [k, from] of cuts.slice(0, -1).entries()) {
          const next = extend(
            model,
            tokens.map((row) => row.slice(from, cuts[k + 1])),
            state,
          );
          if (state) disposeState(state);
          last?.dispose();
          [state, last] = [next.state, next.logits];
        }
        expect(relativeError(last as tf.Tensor, whole), cuts.join()).toBeLessThan(tolerance);
        last?.dispose();
        if (state) disposeState(state);
      }
    });

    composed(device)('goes on with texts of different lengths in one batch as with each alone', (context) => {
      if (missing) return skipFor(context, missing);
      const rows = [tokens[0], tokens[1].slice(0, 7)];
      const states = rows.map((row) => extend(model, [row])).map(({ logits, state }) => [logits.dispose(), state][1]);
      const joined = joinStates(states as Parameters<typeof joinStates>[0]);
      const [stored] = [new Map(exportState(joined).map((tensor) => [tensor.name, tensor]))];
      const read = importState(model, stored);
      const next = [
        [3, 9],
        [17, 4],
      ];
      const together = extend(model, next, read);
      rows.forEach((row, k) => {
        const alone = tf.tidy(() =>
          model
            .forward([[...row, ...next[k]]], { logits: 'last' })
            .dataSync()
            .slice(),
        );
        const got = tf.tidy(() => together.logits.slice([k, 0, 0], [1, -1, -1]));
        expect(relativeError(got, alone)).toBeLessThan(tolerance);
        got.dispose();
      });
      together.logits.dispose();
      for (const state of [...(states as never[]), joined, read, together.state]) disposeState(state);
    });

    everyHook(device)(
      'meets the hook points that its blocks are said to have, and goes on with what a hook gives',
      (context) => {
        if (missing) return skipFor(context, missing);
        const met = new Set<string>();
        // A pass for every point: a few tokens of one text show as much as whole ones.
        const few = [tokens[0].slice(0, 6)];
        const wide = /hook_(?:A_bar|B_bar|h)$/;
        const base = tf.tidy(() =>
          model
            .forward(few, { hooks: [['*', (_value, name) => void (/hook_h\.\d+$/.test(name) || met.add(name))]] })
            .dataSync()
            .slice(),
        );
        model.config.blocks.forEach((block, i) => {
          const names = [...hookPointsOf(block)].map((point) => `blocks.${i}.${point}`);
          expect([...met].filter((name) => name.startsWith(`blocks.${i}.`)).sort()).toEqual(names.sort());
          for (const name of names.filter((each) => !wide.test(each) && !each.endsWith('hook_A'))) {
            const changed = tf.tidy(() =>
              model
                .forward(few, { hooks: [[name, (value) => value.mul(0.5)]] })
                .dataSync()
                .slice(),
            );
            expect(relativeError(tf.tensor1d(changed), base), name).toBeGreaterThan(1e-7);
          }
        });
      },
    );
  });
});
