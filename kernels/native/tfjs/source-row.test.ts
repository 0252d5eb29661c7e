import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { sourceRow } from '../../ops';
import { registerPortable } from '../../portable/register';
import { Random } from '../../reference/random';
import { expectClose } from '../../reference/test-support';
import { isAvailable } from '../addon';
import { onEverySetting } from '../test-support';

interface RowCase {
  readonly L: number;
  readonly E: number;
  readonly N: number;
  readonly K: number;
  /** An SSD scan of H heads and G groups in place of an S6 scan. */
  readonly heads?: { readonly H: number; readonly G: number };
  readonly bias?: boolean;
  readonly softplus?: boolean;
}

/** One token and many, channels and states that are no multiple of a vector, heads narrower and wider than one. */
const CASES: readonly RowCase[] = [
  { L: 1, E: 1, N: 1, K: 1 },
  { L: 1, E: 3, N: 2, K: 4, bias: true, softplus: true },
  { L: 3, E: 5, N: 7, K: 4, softplus: true },
  { L: 40, E: 37, N: 16, K: 4, bias: true },
  { L: 33, E: 300, N: 21, K: 2, bias: true, softplus: true },
  { L: 1, E: 4, N: 3, K: 3, heads: { H: 2, G: 1 }, bias: true },
  { L: 20, E: 36, N: 5, K: 4, heads: { H: 12, G: 2 }, bias: true },
  { L: 70, E: 160, N: 33, K: 3, heads: { H: 5, G: 1 } },
  { L: 9, E: 120, N: 16, K: 4, heads: { H: 40, G: 4 }, bias: true },
];

function inputOf({ L, E, N, K, heads, bias }: RowCase) {
  const random = new Random(L * E + N);
  const units = heads?.H ?? E;
  const groups = heads?.G ?? 1;
  const floats = (values: Float64Array) => Float32Array.from(values);
  return {
    x: floats(random.normal(L * E)),
    weight: floats(random.normal(E * K, 0.7)),
    bias: bias ? floats(random.normal(E)) : undefined,
    scale: floats(random.normal(E)),
    delta: floats(random.uniform(L * units, 0.01, 0.6)),
    A: floats(random.uniform(heads ? units : E * N, -2, -0.1)),
    B: floats(random.normal(L * groups * N)),
    C: floats(random.normal(groups * N)),
    D: floats(random.normal(units)),
  };
}

/** The sum over everything, straight from the equations, in float64. */
function definition(c: RowCase, input: ReturnType<typeof inputOf>) {
  const { L, E, N, K, heads, softplus } = c;
  const { x, weight, bias, scale, delta, A, B, C, D } = input;
  const units = heads?.H ?? E;
  const groups = heads?.G ?? 1;
  const step = (k: number, unit: number) => {
    const value = delta[k * units + unit];
    return softplus ? Math.log1p(Math.exp(value)) : value;
  };
  const sources = new Float64Array(L * E);
  const free = new Float64Array(E);
  for (let e = 0; e < E; e++) {
    const unit = Math.floor(e / (E / units));
    const group = heads ? Math.floor(unit / (units / groups)) : 0;
    for (let k = 0; k < L; k++) {
      let elapsed = 0;
      for (let l = k + 1; l < L; l++) elapsed += step(l, unit);
      let read = k === L - 1 ? D[unit] : 0;
      for (let n = 0; n < N; n++) {
        const rate = heads ? A[unit] : A[unit * N + n];
        read += step(k, unit) * C[group * N + n] * B[(k * groups + group) * N + n] * Math.exp(rate * elapsed);
      }
      let convolved = bias?.[e] ?? 0;
      for (let m = 0; m < K && m <= k; m++) convolved += weight[e * K + K - 1 - m] * x[(k - m) * E + e];
      const through = (read * scale[e]) / (1 + Math.exp(-convolved));
      for (let m = 0; m < K && m <= k; m++)
        sources[(k - m) * E + e] += through * weight[e * K + K - 1 - m] * x[(k - m) * E + e];
      free[e] += through * (bias?.[e] ?? 0);
    }
  }
  return { sources, free };
}

const tensorsOf = ({ L, E, N, K, heads }: RowCase, input: ReturnType<typeof inputOf>) => ({
  x: tf.tensor2d(input.x, [L, E]),
  weight: tf.tensor3d(input.weight, [E, 1, K]),
  ...(input.bias && { bias: tf.tensor1d(input.bias) }),
  scale: tf.tensor1d(input.scale),
  delta: tf.tensor2d(input.delta, [L, heads?.H ?? E]),
  A: heads ? tf.tensor1d(input.A) : tf.tensor2d(input.A, [E, N]),
  B: tf.tensor(input.B, heads ? [L, heads.G, N] : [L, N]),
  C: tf.tensor(input.C, heads ? [heads.G, N] : [N]),
  D: tf.tensor1d(input.D),
});

function checks() {
  it.each(CASES)('%j', (c) => {
    const input = inputOf(c);
    const wanted = definition(c, input);
    const before = tf.memory().numTensors;
    const tensors = tensorsOf(c, input);
    const { sources, free } = sourceRow(tensors, { softplus: c.softplus });
    expect(sources.shape).toEqual([c.L, c.E]);
    expectClose(sources.dataSync(), wanted.sources, 5e-6, 'sources');
    expect(free === undefined).toBe(!c.bias);
    if (free) expectClose(free.dataSync(), wanted.free, 5e-6, 'free');
    tf.dispose([sources, ...(free ? [free] : []), ...Object.values(tensors)]);
    expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
  });
}

describe('a row of sources composed of tfjs operations equals the definition', () => {
  beforeAll(async () => {
    registerPortable('cpu');
    await tf.setBackend('cpu');
  });
  checks();

  it('refuses a scan that does not fit', () => {
    const c: RowCase = { L: 4, E: 6, N: 2, K: 3, heads: { H: 2, G: 1 } };
    const tensors = tensorsOf(c, inputOf(c));
    expect(() => sourceRow({ ...tensors, delta: tf.ones([4, 3]) })).toThrow(/sourceRow: delta .* must be \[L,H\]/);
    expect(() => sourceRow({ ...tensors, C: tf.ones([2]) })).toThrow(/sourceRow: C/);
  });
});

describe('a row of sources of the native kernels equals the definition', needs(isAvailable, ADD_ON), () => {
  onEverySetting(checks);
});
