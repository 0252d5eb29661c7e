import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '@/lib/checkpoint';
import { parseConfig } from '@/lib/checkpoint/config';
import { expectedTensors } from '@/lib/checkpoint/schema';
import { Random } from '@/lib/random';
import { INITIAL, initialCheckpoint } from './initialise';

const KINDS = ['mamba1', 'mamba2', 'diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'];

const configOf = (layers: string, more: object = {}) => {
  const sizes = { hidden_size: 64, num_hidden_layers: 4, vocab_size: 50, state_size: 8, head_dim: 16 };
  return parseConfig({ model_type: 'statescope', layers, ...sizes, ...more }, new Map());
};
const fresh = (layers: string, seed = 1, more: object = {}) =>
  initialCheckpoint(configOf(layers, more), new Random(seed), layers);
const valuesOf = (checkpoint: Checkpoint, pattern: RegExp) =>
  [...checkpoint.tensors].filter(([name]) => pattern.test(name)).flatMap(([, { data }]) => [...data]);
const range = (values: readonly number[]) =>
  values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

describe.each(KINDS)('%s', (kind) => {
  const checkpoint = fresh(kind);

  it('has every tensor of its shape, all finite, the same for the same seed', () => {
    const expected = expectedTensors(checkpoint.config);
    expect([...checkpoint.tensors.keys()]).toEqual([...expected.keys()]);
    for (const [name, { shape, data }] of checkpoint.tensors) {
      expect(shape).toEqual(expected.get(name));
      expect(data.every(Number.isFinite)).toBe(true);
    }
    expect(fresh(kind)).toEqual(checkpoint);
    expect(fresh(kind, 2)).not.toEqual(checkpoint);
  });

  it('starts Δ between 1e-3 and 0.1 and D at 1', () => {
    const steps = valuesOf(checkpoint, /dt[12]?_bias$|dt[12]?_proj\.bias$/).map((bias) => Math.log1p(Math.exp(bias)));
    const [low, high] = range(steps);
    expect(low).toBeGreaterThan(0.999e-3);
    expect(high).toBeLessThan(0.1001);
    expect(high / low).toBeGreaterThan(5);
    expect(new Set(valuesOf(checkpoint, /\.D[12]?$/))).toEqual(new Set([1]));
  });

  it('divides out_proj by the root of the number of layers', () => {
    const { E } = checkpoint.config.blocks[0].mixer;
    const [, high] = range(valuesOf(checkpoint, /out_proj\.weight$/));
    expect(high).toBeLessThan(1 / Math.sqrt(E) / 2);
    expect(high).toBeGreaterThan(0.95 / Math.sqrt(E) / 2);
    expect(range(valuesOf(checkpoint, /in_proj[12]?\.weight$/))[1]).toBeGreaterThan(0.95 / 8);
  });
});

it('sets A to −1 … −N in Mamba-1 rows and to −U(1, 16) in Mamba-2 heads', () => {
  const rows = valuesOf(fresh('mamba1'), /layers\.0\.mixer\.A_log$/).map(Math.exp);
  expect(rows.slice(8, 16).map((a) => Math.round(a * 1e4) / 1e4)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  const heads = valuesOf(fresh('mamba2'), /A_log$/).map(Math.exp);
  expect(range(heads)[0]).toBeGreaterThanOrEqual(1);
  expect(range(heads)[1]).toBeLessThanOrEqual(16);
  expect(new Set(heads).size).toBe(heads.length);
});

it('draws A from another range where one is given', () => {
  const options = { ...INITIAL, decayRange: [0.1, 0.5] as const };
  const slow = initialCheckpoint(configOf('mamba2'), new Random(1), 'slow', options);
  const heads = valuesOf(slow, /A_log$/).map(Math.exp);
  expect(range(heads)[0]).toBeGreaterThan(0.09);
  expect(range(heads)[1]).toBeLessThan(0.51);
});

it('draws λ from N(0, 1)', () => {
  const lambda = valuesOf(fresh('diff_mamba2'), /lambda_q1$/);
  const variance = lambda.reduce((sum, value) => sum + value * value, 0) / lambda.length;
  expect(variance).toBeGreaterThan(0.7);
  expect(variance).toBeLessThan(1.4);
});

it('draws projection biases where a model has them', () => {
  expect(range(valuesOf(fresh('mamba2', 1, { use_bias: true }), /_proj\.bias$/))[1]).toBeGreaterThan(0);
});
