import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { LENS_VALUES, type LensValues, lensStatistics } from '../../ops';
import { lensStatistics as definition } from '../../reference';
import { Random } from '../../reference/random';
import { isAvailable } from '../addon';
import { configureNative, nativeInfo } from '../register';
import { onEverySetting } from '../test-support';

const WIDTH = LENS_VALUES.length;

interface LensCase {
  readonly S: number;
  readonly C: number;
  readonly d: number;
  readonly V: number;
  readonly topK: number;
  /** Size of the logits; the larger, the sharper the distributions. */
  readonly scale?: number;
}

/** One position and many, one block of the vocabulary and many parts, tails of every kind. */
const CASES: readonly LensCase[] = [
  { S: 1, C: 1, d: 1, V: 2, topK: 0 },
  { S: 2, C: 3, d: 5, V: 7, topK: 7 },
  { S: 3, C: 1, d: 33, V: 65, topK: 2 },
  { S: 4, C: 9, d: 17, V: 129, topK: 5 },
  { S: 25, C: 1, d: 24, V: 2113, topK: 3 },
  { S: 5, C: 130, d: 8, V: 150, topK: 1 },
  { S: 2, C: 4, d: 12, V: 4500, topK: 4, scale: 30 },
  { S: 3, C: 5, d: 6, V: 700, topK: 2, scale: 3000 },
];

function inputOf({ S, C, d, V, topK, scale = 3 }: LensCase) {
  const random = new Random(S * C + V);
  const hidden = Float32Array.from(random.normal(S * C * d, scale / Math.sqrt(d)));
  const head = Float32Array.from(random.normal(V * d));
  const ids = [...new Set([0, V - 1, Math.floor(V / 2)])];
  const targets = Array.from({ length: C }, (_, c) => c % ids.length);
  return { S, C, d, V, topK, hidden, head, ids, targets };
}

type Input = ReturnType<typeof inputOf> & { readonly vocabulary?: number };

function run({ S, C, d, V, hidden, head, ...options }: Input): LensValues {
  const before = tf.memory().numTensors;
  const tensors = { hidden: tf.tensor3d(hidden, [S, C, d]), head: tf.tensor2d(head, [V, d]) };
  const values = lensStatistics(tensors, options);
  tf.dispose(tensors);
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  return values;
}

/** Every value within float32 rounding of the logits, whose size is `scale`. */
function expectDefinition(got: LensValues, input: ReturnType<typeof inputOf>, scale: number) {
  const { S, C, V, topK, ids } = input;
  const expected = definition({ ...input, ids: Int32Array.from(ids), targets: Int32Array.from(input.targets) });
  const tolerance = 4e-6 * scale;
  for (let row = 0; row < S * C; row++)
    LENS_VALUES.forEach((name, i) => {
      const at = row * LENS_VALUES.length + i;
      const [value, want] = [got.statistics[at], expected.statistics[at]];
      if ((name === 'snr_vocab' || name === 'margin_std') && V === 2) return;
      const slack = name === 'target_rank' ? (scale > 100 ? 1 : 0) : Math.max(tolerance, 2e-5 * Math.abs(want));
      expect(Math.abs(value - want), `${name} of row ${row}: ${value}, not ${want}`).toBeLessThanOrEqual(slack);
    });
  for (const [i, value] of got.logits.entries())
    expect(Math.abs(value - expected.logits[i])).toBeLessThanOrEqual(tolerance);
  if (scale > 100) return;
  expect([...got.topIds]).toEqual([...expected.topIds]);
  for (let i = 0; i < S * C * topK; i++)
    expect(Math.abs(got.topValues[i] - expected.topValues[i])).toBeLessThanOrEqual(tolerance);
}

function checks() {
  it.each(CASES)('%j', (c) => {
    const input = inputOf(c);
    expectDefinition(run(input), input, c.scale ?? 3);
  });

  it.each([CASES[3], CASES[4]])('of the first rows only where the others are padding: %j', (c) => {
    const all = inputOf(c);
    const vocabulary = c.V - 3;
    const ids = [0, 5, vocabulary - 1];
    // Padding would be the strongest everywhere.
    all.head.fill(50, vocabulary * c.d);
    const cut = { ...all, V: vocabulary, head: all.head.slice(0, vocabulary * c.d), ids };
    expect(run({ ...all, ids, vocabulary })).toEqual(run(cut));
    expectDefinition(run({ ...all, ids, vocabulary }), cut, c.scale ?? 3);
  });

  it('keeps probabilities far below what float32 can add up, and exact ties in order', () => {
    const head = new Float32Array(100);
    head[70] = 1;
    const input = { S: 1, C: 1, d: 1, V: 100, topK: 3, hidden: Float32Array.of(200), head, ids: [5], targets: [0] };
    const { statistics, topIds } = run(input);
    expect(statistics[0]).toBeCloseTo(-200, 4);
    expect(statistics[1]).toBe(1);
    expect(statistics[3]).toBeCloseTo(0, 6);
    expect([...topIds]).toEqual([70, 0, 1]);
  });

  it('says that logits are not finite by values that are not numbers, in those rows only', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38]) {
      const input = inputOf(CASES[3]);
      input.hidden.fill(bad, 17, 34);
      const { statistics } = run(input);
      expect(statistics.subarray(WIDTH, 2 * WIDTH).every(Number.isNaN), String(bad)).toBe(true);
      expect(statistics.subarray(0, WIDTH).every(Number.isFinite)).toBe(true);
      expect(statistics.subarray(2 * WIDTH).every(Number.isFinite)).toBe(true);
    }
  });
}

describe('lens statistics by slabs of logits equal the float64 definition', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  checks();

  it('refuse targets that are not there', () => {
    const tensors = { hidden: tf.ones<tf.Rank.R3>([1, 2, 3]), head: tf.ones<tf.Rank.R2>([4, 3]) };
    expect(() => lensStatistics(tensors, { ids: [4], targets: [0, 0] })).toThrow(/id = 4/);
    expect(() => lensStatistics(tensors, { ids: [3], targets: [0, 1] })).toThrow(/target = 1/);
    expect(() => lensStatistics(tensors, { ids: [3], targets: [0] })).toThrow(/number of targets/);
    expect(() => lensStatistics(tensors, { ids: [3], targets: [0, 0], topK: 5 })).toThrow(/topK = 5/);
  });
});

describe('lens statistics of the native kernel equal the float64 definition', needs(isAvailable, ADD_ON), () => {
  const initial = nativeInfo();
  onEverySetting(checks);

  it('do not depend on the number of threads', () => {
    const results = [1, 2].map((threads) => {
      configureNative({ isa: initial?.isa ?? 'generic', threads });
      return run(inputOf(CASES[4])).statistics;
    });
    expect(results[0]).toEqual(results[1]);
  });
});
