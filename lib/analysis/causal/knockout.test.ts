import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type PlacedScan, scansAt } from '@/lib/architectures/places';
import { InputError } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import type { Hook, Model } from '@/lib/models';
import { blockCache, captureNames, type S6Inputs, scanAttention } from '../s6Attention';
import type { Span } from '../span';
import { differenceOf, question } from '../testing/answers';
import { bundledCase, loadModel } from '../testing/fixtures';
import { type RandomCase, randomCases, randomModel } from '../testing/randomModel';
import { knockoutGrid, knockoutSteps, readsFrom } from '.';

beforeAll(async () => {
  await openDevice();
});

/** What a forward pass leaves at these names, [rows of values]. */
function captured(model: Model, tokens: readonly number[], names: readonly string[]) {
  const { logits, cache } = model.runWithCache([[...tokens]], { names });
  logits.dispose();
  return cache;
}

const isIn = (t: number, [start, end]: Span) => t >= start && t < end;

/** α of one channel, from the implicit attention. */
const channelMap = (inputs: S6Inputs, e: number) => scanAttention(inputs, { how: 'channel', index: e }).map;

/** y and y + D x with the columns of the sources set to zero in the rows of the queries, from the maps themselves. */
function byMaps(model: Model, layer: number, scan: PlacedScan, tokens: readonly number[], cut: Cut): Hook[] {
  const { config } = model;
  const { E, H, P, K } = config.blocks[layer].mixer;
  const cache = captured(model, tokens, [
    ...captureNames(config, layer),
    scan.at('in_proj'),
    scan.at('conv'),
    scan.at('ssm_output'),
  ]);
  const inputs = blockCache(config, layer, cache).scans.get(scan.name) as S6Inputs;
  const values = (name: string) => (cache.get(name) as tf.Tensor).dataSync() as Float32Array;
  const [x0, c] = [values(scan.at('in_proj')), values(scan.at('conv'))];
  const width = c.length / tokens.length;
  const weight = model.parameters.get(scan.parameter(`${scan.parameters.conv}.weight`))?.dataSync() as Float32Array;
  const D = model.parameters.get(scan.parameter(scan.parameters.D))?.dataSync() as Float32Array;
  const L = tokens.length;
  const [y, output] = [inputs.y.slice(), values(scan.at('ssm_output')).slice()];
  for (let e = 0; e < E; e++) {
    const map = channelMap(inputs, e);
    /** x of token k without what the sources gave to it. */
    const left = (k: number) => {
      if (cut.reads === 'scan') return isIn(k, cut.sources) ? 0 : inputs.x[k * E + e];
      let pre = c[k * width + e];
      for (let m = 0; m < K; m++)
        if (k - m >= 0 && isIn(k - m, cut.sources)) pre -= weight[e * K + K - 1 - m] * x0[(k - m) * E + e];
      return pre / (1 + Math.exp(-c[k * width + e]));
    };
    for (let i = cut.queries[0]; i < cut.queries[1]; i++) {
      let sum = 0;
      for (let k = 0; k <= i; k++) sum += map[i * L + k] * left(k);
      y[i * E + e] = sum;
      const own = cut.reads === 'scan' ? inputs.x[i * E + e] : left(i);
      output[i * E + e] = sum + D[H > 0 ? Math.floor(e / P) : e] * own;
    }
  }
  for (const tensor of cache.values()) tensor.dispose();
  return [
    [scan.at('y'), () => tf.tensor3d(y, [1, L, E])],
    [scan.at('ssm_output'), () => tf.tensor3d(output, [1, L, E])],
  ];
}

interface Cut {
  readonly sources: Span;
  readonly queries: Span;
  readonly reads: 'scan' | 'block';
}

const spanOf = ({ tokens, seed }: RandomCase): Span => {
  const start = seed % tokens.length;
  return [start, Math.min(tokens.length, start + 1 + (seed % 3))];
};

describe.each(['scan', 'block'] as const)('a knock-out of %s reads', (reads) => {
  it('equals a run whose attention columns are zero, at every layer', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const { tokens } = random;
        const sources = spanOf(random);
        const grid = knockoutGrid(model, { ...question, tokens, spans: [sources], reads });
        expect(grid.base).toBeCloseTo(differenceOf(model, tokens, []), 4);
        for (const [layer, block] of model.config.blocks.entries()) {
          if (sources[1] === tokens.length) {
            expect(grid.without[layer]).toBeNaN();
            continue;
          }
          const cut = { sources, queries: [sources[1], tokens.length] as const, reads };
          const hooks = scansAt(layer, block).flatMap((scan) => byMaps(model, layer, scan, tokens, cut));
          expect(grid.without[layer]).toBeCloseTo(differenceOf(model, tokens, hooks), 3);
          expect(grid.change[layer]).toBeCloseTo(grid.without[layer] - grid.base, 6);
        }
        model.dispose();
      }),
      { numRuns: 6 },
    );
  });

  it('leaves the rest alone where only the answer stops reading', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const { tokens } = random;
        const last = tokens.length - 1;
        const cut = { sources: [0, last] as const, queries: [last, last + 1] as const, reads };
        const grid = knockoutGrid(model, { ...question, tokens, spans: [cut.sources], queries: 'answer', reads });
        const hooks = scansAt(0, model.config.blocks[0]).flatMap((scan) => byMaps(model, 0, scan, tokens, cut));
        expect(grid.without[0]).toBeCloseTo(differenceOf(model, tokens, hooks), 3);
        model.dispose();
      }),
      { numRuns: 5 },
    );
  });
});

describe('a knock-out of everything', () => {
  it('equals a run whose scans give nothing', () => {
    fc.assert(
      fc.property(randomCases(6), (random) => {
        const model = randomModel(random);
        const { tokens } = random;
        const all = [0, tokens.length] as const;
        const grid = knockoutGrid(model, { ...question, tokens, spans: [all], queries: all, together: true });
        const silence: Hook[] = [['blocks.*hook_y', (value) => value.mul(0)]];
        expect(grid.layers).toEqual([model.config.blocks.map((_, i) => i)]);
        expect(grid.without[0]).toBeCloseTo(differenceOf(model, tokens, silence), 4);
        model.dispose();
      }),
      { numRuns: 8 },
    );
  });
});

it('takes out of y exactly what the span gave: reads of all tokens add up to y', () => {
  fc.assert(
    fc.property(randomCases(7), ({ tokens, ...random }) => {
      const model = randomModel(random);
      const cache = captured(model, tokens, captureNames(model.config, 0));
      for (const inputs of blockCache(model.config, 0, cache).scans.values()) {
        const parts = tokens.map((_, t) => readsFrom(inputs, [t, t + 1]));
        const top = Math.max(...inputs.y.map(Math.abs));
        inputs.y.forEach((value, k) => {
          const sum = parts.reduce((total, part) => total + part[k], 0);
          expect(Math.abs(sum - value)).toBeLessThan(1e-5 * top);
        });
        const [column, e] = [Math.floor(tokens.length / 2), inputs.E - 1];
        const map = channelMap(inputs, e);
        tokens.forEach((_, i) => {
          const expected = map[i * tokens.length + column] * inputs.x[column * inputs.E + e];
          expect(Math.abs(parts[column][i * inputs.E + e] - expected)).toBeLessThan(1e-5 * top);
        });
      }
      for (const tensor of cache.values()) tensor.dispose();
      model.dispose();
    }),
    { numRuns: 8 },
  );
});

describe('on a small Diff-Mamba-2', () => {
  const tokens = [5, 9, 12, 4, 8];
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(bundledCase('hf-diffmamba2-all'));
  });

  it('a knock-out of one mixer leaves the other as it is', () => {
    const { cache, logits } = model.runWithCache([tokens], { names: ['blocks.0.mixer_1.hook_y'] });
    const y = cache.get('blocks.0.mixer_1.hook_y') as tf.Tensor;
    const hooks: Hook[] = [
      ['blocks.0.mixer_1.hook_y', () => y.slice([0, 0], [1, 4]).concat(y.slice([0, 4]).mul(0), 1)],
    ];
    const expected = differenceOf(model, tokens, hooks);
    const grid = knockoutGrid(model, {
      ...question,
      tokens,
      layers: [0],
      mixer: 'mixer_1',
      spans: [[0, 5]],
      queries: [4, 5],
    });
    expect(grid.without[0]).toBeCloseTo(expected, 5);
    for (const tensor of [logits, ...cache.values()]) tensor.dispose();
  });

  it('tests no read that nobody who stops reading could make, and does not call it a change of 0', () => {
    const later = knockoutGrid(model, { ...question, tokens });
    expect(later.tested).toEqual([true, true, true, true, false]);
    for (const { without, change } of [later, later.frozen_norms])
      for (const [row] of later.layers.entries()) {
        expect(without[5 * row + 4]).toBeNaN();
        expect(change[5 * row + 4]).toBeNaN();
        expect(change[5 * row + 3]).not.toBeNaN();
      }
    // The answering token reads itself.
    expect(knockoutGrid(model, { ...question, tokens, queries: 'answer' }).tested).toEqual(Array(5).fill(true));
    const spans = [[0, 2] as const, [2, 4] as const];
    expect(knockoutGrid(model, { ...question, tokens, spans, queries: [1, 2] }).tested).toEqual([true, false]);
    const [last] = [...knockoutSteps(model, { ...question, tokens })].slice(-1);
    expect(last.done).toBe(last.total);
  });

  it('gives the same in pieces, and leaves no tensor behind when it is stopped', () => {
    const request = { ...question, tokens };
    const whole = knockoutGrid(model, request);
    const before = tf.memory().numTensors;
    const pieces = knockoutGrid(model, { ...request, memory: 250_000 });
    pieces.without.forEach((value, k) => {
      if (whole.tested[k % tokens.length]) expect(value).toBeCloseTo(whole.without[k], 5);
      else expect(value).toBeNaN();
    });
    const steps = knockoutSteps(model, request);
    expect(steps.next().value).toMatchObject({ done: 1 });
    steps.return(undefined as never);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    [{ spans: [[3, 3]] as const }, /There is no span \[3, 3\)/],
    [{ queries: [4, 9] as const }, /There is no span \[4, 9\)/],
    [{ position: 9 }, /There is no position 9/],
    [{ memory: 10 }, /the limit is 1 MB/],
  ])('refuses %j in a sentence', (change, message) => {
    expect(() => knockoutGrid(model, { ...question, tokens, ...change })).toThrow(message);
    expect(() => knockoutGrid(model, { ...question, tokens, ...change })).toThrow(InputError);
  });
});
