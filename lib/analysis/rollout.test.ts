import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import {
  attentionOf,
  attributionCodeMap,
  attributionMap,
  drain,
  operatorOf,
  outputGradients,
  residualsOf,
  rollout,
  type S6Inputs,
  scanAttention,
  shareSteps,
  streamGradients,
} from '.';
import { branchTerms } from './causal/branchTerms';
import { blocksOf, bundledCase, loadModel } from './testing/fixtures';
import { randomCases, randomModel } from './testing/randomModel';

beforeAll(async () => {
  await openDevice();
});

const MAPS = [Float32Array.of(1, 0, 2, 3), Float32Array.of(0.5, 0, -0.25, 1)];

describe('rollout', () => {
  it('multiplies I + M, later layers on the left', () => {
    // [[1.5, 0], [−0.25, 2]] · [[2, 0], [2, 4]]
    expect([...rollout(MAPS, 2)]).toEqual([3, 0, 3.5, 8]);
  });

  it('starts where it is told', () => {
    expect([...rollout(MAPS, 2, { start: 1 })]).toEqual([1.5, 0, -0.25, 2]);
    expect(() => rollout(MAPS, 2, { start: 2 })).toThrow(/no layer 2/);
  });

  it('divides rows by their sums, so that each still sums to 1', () => {
    const [a, b, c, d] = rollout(MAPS, 2, { normalised: true });
    for (const sum of [a + b, c + d]) expect(sum).toBeCloseTo(1, 6);
    expect(c).toBeCloseTo((-0.25 + 2 * (2 / 6)) / 1.75, 6);
  });

  it('refuses to divide a row whose signs cancel', () => {
    expect(() => rollout([Float32Array.of(-1, 0, 0, 1)], 2, { normalised: true })).toThrow(InputError);
  });
});

describe('a rollout of shares', () => {
  /** What source j brings to i through one block, with what is already there: straight from the operator's row. */
  function definition(model: Model, tokens: readonly number[], layer: number, measure: 'norm' | 'alti'): number[][] {
    const { d } = model.config;
    const { streams } = residualsOf(model, [tokens]);
    return tokens.map((_, i) => {
      const L = i + 1;
      const { first, second } = branchTerms(
        model,
        { streams: streams.map((each) => each.subarray(0, L * d)), L },
        layer,
      );
      const after = streams[layer + 1].subarray(i * d, L * d);
      const sizes = tokens.slice(0, L).map((_, j) => {
        const part = after.map(
          (_, c) => first[j * d + c] - (second?.[j * d + c] ?? 0) + (i === j ? streams[layer][i * d + c] : 0),
        );
        if (measure === 'norm') return Math.hypot(...part);
        return Math.max(
          0,
          after.reduce((sum, value, c) => sum + Math.abs(value) - Math.abs(value - part[c]), 0),
        );
      });
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total === 0) return tokens.map((_, j) => (j === i ? 1 : 0));
      return tokens.map((_, j) => (j < L ? sizes[j] / total : 0));
    });
  }

  it('has the shares of every block, its own token in it, of every architecture', () => {
    fc.assert(
      fc.property(randomCases(7), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const L = tokens.length;
        const { streams } = residualsOf(model, [tokens]);
        const caches = blocksOf(model, [[...tokens]]);
        for (const measure of ['norm', 'alti'] as const)
          for (const cache of caches) {
            const operator = operatorOf(model, cache);
            const shares = drain(shareSteps(cache, operator, streams[cache.index], measure));
            const wanted = definition(model, tokens, cache.index, measure).flat();
            shares.forEach((share, k) => {
              expect(Math.abs(share - wanted[k]), `${measure} ${cache.kind} ${k}`).toBeLessThan(2e-4);
            });
          }
        expect(L).toBeGreaterThan(0);
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });

  it('stays a share over layers: no row is negative, every one adds up to 1', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const tokens = Array.from({ length: 20 }, (_, k) => (7 * k) % 23);
    const { streams } = residualsOf(model, [tokens]);
    const before = tf.memory().numTensors;
    const caches = blocksOf(model, [tokens]);
    for (const measure of ['norm', 'alti'] as const) {
      const maps = caches.map((cache) =>
        drain(shareSteps(cache, operatorOf(model, cache), streams[cache.index], measure)),
      );
      const map = rollout(maps, 20, { whole: true });
      for (let i = 0; i < 20; i++) {
        const row = map.subarray(i * 20, (i + 1) * 20);
        expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
        expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
      }
    }
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

describe('the attribution of the published code', () => {
  const tokens = [3, 1, 4, 1, 5, 9];

  it('weighs sources by the residual stream’s gradient, α cut off channel by channel', async () => {
    const model = await loadModel(bundledCase('hf-mamba1-bias'));
    const [position, target] = [5, 7];
    const [, weights] = streamGradients(model, tokens, { position, target });
    expect([Math.min(...weights), Math.max(...weights)]).toEqual([0, 1]);
    const [, block] = blocksOf(model, [tokens]);
    const inputs = block.scans.get('single') as S6Inputs;
    const each = Array.from({ length: inputs.E }, (_, index) => scanAttention(inputs, { how: 'channel', index }).map);
    const most = Math.max(...each.map((map) => Math.max(...map)));
    const map = attributionCodeMap(block, weights);
    for (const [i, j] of [
      [5, 2],
      [4, 0],
      [3, 3],
      [1, 4],
    ]) {
      const cut = each.reduce((sum, channel) => sum + Math.max(0, channel[i * 6 + j]), 0) / inputs.E;
      expect(map[i * 6 + j]).toBeCloseTo((cut / most) * weights[j], 6);
    }
    model.dispose();
  });

  it('has a gradient that is the slope of the logit', async () => {
    const model = await loadModel(bundledCase('hf-mamba1-bias'));
    const of = { position: 5, target: 7 };
    const weights = streamGradients(model, tokens, of);
    const { d } = model.config;
    const logit = (at: number, c: number, by: number) =>
      tf.tidy(() => {
        const edit = tf.buffer([1, 6, d]);
        edit.set(by, 0, at, c);
        const logits = model.runWithHooks(
          [tokens],
          [['blocks.1.hook_resid_pre', (value) => value.add(edit.toTensor())]],
        );
        return (logits.arraySync() as number[][][])[0][of.position][of.target];
      });
    const largest = tokens.map((_, at) =>
      Math.max(0, ...Array.from({ length: d }, (_, c) => (logit(at, c, 1e-2) - logit(at, c, -1e-2)) / 2e-2)),
    );
    const [least, most] = [Math.min(...largest), Math.max(...largest)];
    largest.forEach((value, at) => {
      expect(weights[1][at]).toBeCloseTo((value - least) / (most - least), 2);
    });
    model.dispose();
  });

  it('refuses a block of two scans', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const [block] = blocksOf(model, [tokens]);
    expect(() => attributionCodeMap(block, new Float32Array(6))).toThrow(
      /knows blocks of one: take attribution, or norm/,
    );
    model.dispose();
  });
});

describe('gradient-weighted attribution', () => {
  const tokens = [3, 1, 4, 1, 5, 9];

  it.each(['hf-mamba1-bias', 'hf-diffmamba2-all'])('of %s takes the slope of the logit', async (name) => {
    const model = await loadModel(bundledCase(name));
    const [position, target, at, step] = [5, 7, 2, 1e-2];
    const gradients = outputGradients(model, tokens, { position, target });
    const scans = [...gradients[1].keys()];
    for (const scan of scans) {
      const point = `${scan === 'single' ? '' : `${scan}.`}${scan === 'single' ? 'hook_after_skip' : 'hook_gated_norm'}`;
      const logit = (by: number) => {
        const logits = model.runWithHooks(
          [tokens],
          [
            [
              `blocks.1.${point}`,
              (value) => {
                const buffer = value.arraySync() as number[][][];
                buffer[0][at] = buffer[0][at].map((x) => x + by);
                return value.mul(0).add(buffer);
              },
            ],
          ],
        );
        return (logits.arraySync() as number[][][])[0][position][target];
      };
      const slope = (logit(step) - logit(-step)) / (2 * step);
      const E = model.config.blocks[1].mixer.E;
      expect(gradients[1].get(scan)?.[at]).toBeCloseTo(slope / E, 3);
    }
    model.dispose();
  });

  it('adds the branches before it cuts off what is negative', async () => {
    const model = await loadModel(bundledCase('hf-diffmamba2-all'));
    const [block] = blocksOf(model, [tokens]);
    const L = tokens.length;
    const slope = {
      mixer_1: Float32Array.from(tokens, (_, i) => i - 2),
      mixer_2: Float32Array.from(tokens, () => -0.5),
    };
    const map = attributionMap(block, new Map(Object.entries(slope) as ['mixer_1' | 'mixer_2', Float32Array][]));
    const [one, two] = (['mixer_1', 'mixer_2'] as const).map(
      (branch) => attentionOf(block, { branch, reduce: 'mean' }).map,
    );
    map.forEach((value, k) => {
      const row = Math.floor(k / L);
      expect(value).toBeCloseTo(Math.max(0, (row - 2) * one[k] - 0.5 * two[k]), 6);
    });
    model.dispose();
  });
});
