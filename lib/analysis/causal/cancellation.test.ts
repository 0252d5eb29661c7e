import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DifferentialBlock, InputError, isDifferential } from '@/lib/checkpoint';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { openDevice } from '@/lib/engine';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { referenceFolder } from '@/testing/references';
import { drain } from '../steps';
import { bundledCase, loadModel } from '../testing/fixtures';
import { randomCases, randomModel } from '../testing/randomModel';
import { cancellation, cancellationBatchSteps, cancellationSteps } from '.';
import { branchTerms } from './branchTerms';
import { baselineOf } from './continuation';

beforeAll(async () => {
  await openDevice();
});

const DIFFERENTIAL = ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'] as const;

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

describe('cancellation of random models', () => {
  it('adds up: sources and rest to what the block adds, blocks and embedding to the metric', () => {
    fc.assert(
      fc.property(randomCases(7, DIFFERENTIAL), ({ tokens, ...random }) => {
        const model = randomModel(random);
        const request = { tokens, target: 3, foil: 7, needle: [0, 1] as const };
        const { layers } = cancellation(model, request);
        const { cache, logits } = model.runWithCache([[...tokens]], {
          names: ['hook_embed', 'hook_norm', '*resid_post'],
        });
        const last = (name: string) => {
          const tensor = cache.get(name) as tf.Tensor;
          return (tensor.dataSync() as Float32Array).slice(-(tensor.shape[2] as number));
        };
        // The final norm is a product with a vector; from its input and output, without its weight or the unembedding's.
        const [stream, normed] = [last(`blocks.${layers.length - 1}.hook_resid_post`), last('hook_norm')];
        const head = model.parameters.get('backbone.embeddings.weight')?.dataSync() as Float32Array;
        const d = stream.length;
        const embedded = last('hook_embed').reduce(
          (total, value, c) => total + (value * (head[3 * d + c] - head[7 * d + c]) * normed[c]) / stream[c],
          0,
        );
        const answer = (logits.dataSync() as Float32Array).slice(-model.config.V);
        const scale = 1 + Math.abs(embedded) + sum(layers.map(({ total }) => Math.abs(total)));
        expect(
          Math.abs(embedded + sum(layers.map(({ total }) => total)) - (answer[3] - answer[7])) / scale,
        ).toBeLessThan(1e-4);
        for (const { logit, rest, total, reconstructionError } of layers) {
          expect(reconstructionError).toBeLessThan(1e-4);
          expect(Math.abs(sum(logit.sources.difference) + rest - total) / scale).toBeLessThan(1e-4);
        }
        for (const tensor of [logits, ...cache.values()]) tensor.dispose();
        model.dispose();
      }),
      { numRuns: 15 },
    );
  });

  it('splits by branch: each one is the block with the other branch silent, norms held', () => {
    fc.assert(
      fc.property(randomCases(6, ['diff_mamba1', 'diff_mamba2']), ({ tokens, ...random }) => {
        const model = randomModel({ ...random, kinds: random.kinds.slice(0, 1) });
        const [block] = model.config.blocks;
        const { first, second = first } = branchTerms(model, baselineOf(model, tokens, tokens.length - 1), 0);
        const names = ['mixer_1.hook_out_proj', 'mixer_2.hook_out_proj', 'hook_diff', 'hook_out_proj'].map(
          (n) => `blocks.0.${n}`,
        );
        const { cache, logits } = model.runWithCache([[...tokens]], { names: [...names, 'blocks.0.hook_lambda'] });
        const lambdas = cache.get('blocks.0.hook_lambda') as tf.Tensor;
        const d = model.config.d;
        const lambda = lambdas.dataSync();
        const [one, two, diff, out] = names.map((name) => (cache.get(name) as tf.Tensor).dataSync().slice(-d));
        for (let c = 0; c < d; c++) {
          const column = (rows: Float32Array) =>
            sum(Array.from({ length: tokens.length + 1 }, (_, j) => rows[j * d + c]));
          // Whatever follows the difference multiplies each channel by the same number for both branches.
          const factor = out[c] / diff[c];
          expect(column(first)).toBeCloseTo(one[c] * factor, 3);
          expect(column(second)).toBeCloseTo(lambda[c % lambda.length] * two[c] * factor, 3);
        }
        expect((block as DifferentialBlock).lambdaInit).toBeGreaterThan(0);
        for (const tensor of [logits, ...cache.values()]) tensor.dispose();
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });
});

describe.each([
  'hf-diffmamba2-alternate',
  'statescope-diff-mamba1',
  'statescope-diff-mamba2e',
  'statescope-diff-s6',
  'statescope-diff-s6-mamba2',
])('cancellation of %s', (name) => {
  const path = referenceFolder('models', name) as string;
  it('gives the rows of the reference: norms and logit contributions of every source', async () => {
    const model = await loadModel(path);
    const [tokens]: number[][] = JSON.parse(readFileSync(join(path, 'case.json'), 'utf8')).tokens;
    const expected = await readSafetensors(join(path, 'attention.safetensors'));
    const L = tokens.length;
    const row = (key: string, i: number) =>
      ((expected.get(key) as { data: unknown }).data as Float32Array).subarray(i * L, i * L + i + 1);
    let compared = 0;
    for (const key of expected.keys()) {
      const [, layer, target] = /^blocks\.(\d+)\.logit\.(\d+)$/.exec(key) ?? [];
      if (!layer || !isDifferential(model.config.blocks[Number(layer)])) continue;
      for (const position of [Math.floor(L / 2), L - 1]) {
        const question = { tokens, target: Number(target), needle: [0, 1] as const, position, layers: [Number(layer)] };
        const { layers } = cancellation(model, question);
        const checks = [
          [layers[0].logit.sources.difference, row(key, position), 1e-4],
          [layers[0].norm.sources.difference, row(`blocks.${layer}.diff.norm`, position), 1e-3],
        ] as const;
        for (const [got, wanted, tolerance] of checks) {
          const top = Math.max(...wanted.map(Math.abs));
          wanted.forEach((value, j) => {
            expect(Math.abs(got[j] - value) / top, `${key} ${position} ${j}`).toBeLessThan(tolerance);
          });
        }
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(0);
    model.dispose();
  });
});

describe('on a small Diff-Mamba-2', () => {
  const tokens = [5, 9, 12, 4, 8, 3];
  const request = { tokens, target: 3, foil: 7, needle: [1, 3] as const };
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('counts needle and noise', () => {
    for (const { logit, norm } of cancellation(model, request).layers)
      for (const { sources, needle, noise, share, removed } of [logit, norm]) {
        for (const branch of ['first', 'second', 'difference'] as const) {
          const sizes = [...sources[branch]].map(Math.abs);
          expect(needle[branch]).toBeCloseTo(sizes[1] + sizes[2], 6);
          expect(noise[branch]).toBeCloseTo(sum(sizes) - sizes[1] - sizes[2], 6);
          expect(share[branch]).toBeCloseTo(needle[branch] / sum(sizes), 6);
        }
        expect(removed.noise).toBeCloseTo(1 - noise.difference / noise.first, 6);
        expect(removed.needle).toBeCloseTo(1 - needle.difference / needle.first, 6);
      }
  });

  it('averages a batch', () => {
    const examples = [request, { ...request, tokens: [1, 2, 3, 4], foil: 5 }, { ...request, position: 4 }];
    const single = examples.map((each) => cancellation(model, each).layers[1].norm.share);
    const options = { resampling: () => ({ random: new Random(1) }) };
    const batch = drain(cancellationBatchSteps(model, examples, options));
    const [, summary] = batch.layers;
    expect(batch).toMatchObject({ examples: 3, of: 3 });
    expect(summary.norm.share.first).toMatchObject({ n: 3 });
    expect(summary.norm.share.first.mean).toBeCloseTo(sum(single.map(({ first }) => first)) / 3, 6);
    expect(summary.norm.gain.mean).toBeCloseTo(summary.norm.share.difference.mean - summary.norm.share.first.mean, 6);
    expect(summary.norm.gain.low).toBeLessThanOrEqual(summary.norm.gain.mean);
    expect(summary.norm.gain.high).toBeGreaterThanOrEqual(summary.norm.gain.mean);

    const steps = cancellationBatchSteps(model, examples, options);
    const layers = batch.layers.length;
    const seen = Array.from({ length: 2 * layers + 1 }, () => steps.next().value);
    expect(seen[0]).toMatchObject({ done: 1, total: 3 * layers, result: { examples: 0, layers: [] } });
    const two = drain(cancellationBatchSteps(model, examples.slice(0, 2), options)).layers;
    expect(seen[2 * layers]).toMatchObject({ result: { examples: 2, of: 3, layers: two } });
    steps.return(undefined as never);
  });

  it('holds the target against the mean of the other candidates', () => {
    const logit = (change: object) => cancellation(model, { ...request, foil: undefined, ...change }).layers[0].logit;
    const [one, two, both] = [{ foil: 7 }, { foil: 9 }, { candidates: [3, 7, 9] }].map(logit);
    both.sources.first.forEach((value, j) => {
      expect(value).toBeCloseTo((one.sources.first[j] + two.sources.first[j]) / 2, 5);
    });
  });

  it('stops between layers and leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    const steps = cancellationSteps(model, request);
    expect(steps.next().value).toMatchObject({ done: 1, result: { layers: [{ layer: 0 }] } });
    steps.return(undefined as never);
    cancellation(model, request);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ needle: [3, 9] as const }, /There is no span \[3, 9\)/],
    [{ needle: [3, 4] as const, position: 1 }, /There is no span \[3, 4\)/],
    [{ layers: [99] }, /There is no layer 99/],
    [{ memory: 10 }, /the limit is 1 MB/],
  ])('refuses %j in a sentence', (change, message) => {
    expect(() => cancellation(model, { ...request, ...change })).toThrow(message);
    expect(() => cancellation(model, { ...request, ...change })).toThrow(InputError);
  });

  it('refuses a model without branches', async () => {
    const plain = await loadModel(bundledCase('hf-mamba1-bias'));
    expect(() => cancellation(plain, { ...request, tokens: [1, 2, 3] })).toThrow(/no differential blocks/);
    plain.dispose();
  });
});
