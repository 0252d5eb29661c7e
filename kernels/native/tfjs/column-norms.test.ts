import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { columnNorms } from '../../ops';
import { Random } from '../../reference/random';
import { expectClose } from '../../reference/test-support';
import { isAvailable } from '../addon';
import { onEverySetting } from '../test-support';

interface NormCase {
  readonly d: number;
  /** Channels of one or two products. */
  readonly E: readonly number[];
  readonly rows: number;
  readonly count: number;
  /** Whether most channels end in zeros. */
  readonly decaying?: boolean;
}

/** One tile and many, columns that are no multiple of a vector, channels without any value. */
const CASES: readonly NormCase[] = [
  { d: 1, E: [1], rows: 1, count: 1 },
  { d: 5, E: [3], rows: 2, count: 7 },
  { d: 33, E: [70], rows: 41, count: 16 },
  { d: 20, E: [37, 12], rows: 9, count: 5, decaying: true },
  { d: 31, E: [65], rows: 90, count: 16, decaying: true },
  { d: 7, E: [4, 4], rows: 300, count: 3, decaying: true },
  { d: 3, E: [8200], rows: 3, count: 16 },
];

function inputOf({ d, E, rows, count, decaying }: NormCase) {
  const random = new Random(d * rows + E[0]);
  return E.map((channels) => {
    const weight = Float32Array.from(random.normal(d * channels));
    const columns = Float32Array.from(random.normal(channels * rows * count));
    if (decaying)
      for (let e = 0; e < channels; e++) {
        const lasting = Math.floor((((e * 7) % 11) / 10) * rows);
        columns.fill(0, (e * rows + lasting) * count, (e + 1) * rows * count);
      }
    return { weight, columns };
  });
}

function definition({ d, E, rows, count }: NormCase, terms: ReturnType<typeof inputOf>): Float64Array {
  const n = rows * count;
  return Float64Array.from({ length: n }, (_, c) => {
    let squares = 0;
    for (let i = 0; i < d; i++) {
      let sum = 0;
      terms.forEach(({ weight, columns }, m) => {
        for (let e = 0; e < E[m]; e++) sum += weight[i * E[m] + e] * columns[e * n + c];
      });
      squares += sum * sum;
    }
    return Math.sqrt(squares);
  });
}

function run({ d, E, rows, count }: NormCase, terms: ReturnType<typeof inputOf>): Float32Array {
  const before = tf.memory().numTensors;
  const [first, second] = terms.map(({ weight, columns }, m) => ({
    weight: tf.tensor2d(weight, [d, E[m]]),
    columns: tf.tensor3d(columns, [E[m], rows, count]),
  }));
  const norms = columnNorms(first, second);
  expect(norms.shape).toEqual([rows, count]);
  const values = (norms.dataSync() as Float32Array).slice();
  tf.dispose([norms, ...Object.values(first), ...Object.values(second ?? {})]);
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  return values;
}

function checks() {
  it.each(CASES)('%j', (c) => {
    const terms = inputOf(c);
    expectClose(run(c, terms), definition(c, terms), 2e-6, JSON.stringify(c));
  });

  it('are 0 where no channel has a value', () => {
    const c: NormCase = { d: 9, E: [5], rows: 6, count: 4 };
    const terms = inputOf(c);
    terms[0].columns.fill(0);
    expect([...run(c, terms)]).toEqual(Array(24).fill(0));
  });

  it('shows NaN in its own column only', () => {
    const c: NormCase = { d: 4, E: [6], rows: 5, count: 3 };
    const terms = inputOf(c);
    terms[0].columns.fill(0, 5 * 15, 6 * 15);
    terms[0].columns[5 * 15 + 14] = Number.NaN;
    const values = run(c, terms);
    expect(values[14]).toBeNaN();
    expect(values.subarray(0, 14).every(Number.isFinite)).toBe(true);
  });
}

describe('column norms composed of tfjs operations equal the definition', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  checks();

  it('refuse products that do not fit', () => {
    const weight = tf.ones<tf.Rank.R2>([2, 3]);
    const columns = tf.ones<tf.Rank.R3>([3, 4, 5]);
    expect(() => columnNorms({ weight: tf.ones([2, 4]), columns })).toThrow(/weight/);
    expect(() => columnNorms({ weight, columns }, { weight, columns: tf.ones([3, 4, 6]) })).toThrow(/columns/);
  });
});

describe('column norms of the native kernel equal the definition', needs(isAvailable, ADD_ON), () => {
  onEverySetting(checks);
});
