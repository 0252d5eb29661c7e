import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { causalConv1d, OperandError, rmsNorm, type SsdMixerTensors, ssdMixer, ssdScan } from '../../ops';
import { registerNative } from '../register';

beforeAll(async () => {
  registerNative();
  await tf.setBackend('native');
});

type Sizes = { batch: number; L: number; H: number; P: number; G: number; N: number; K: number; bias: boolean };

function inputsOf({ batch, L, H, P, G, N, K, bias }: Sizes): SsdMixerTensors {
  const random = new Random(9);
  const drawn = <T extends tf.Tensor>(...shape: number[]) =>
    tf.randomNormal(shape, 0, 1, 'float32', random.integer(1, 1e6)) as T;
  const [E, C] = [H * P, H * P + 2 * G * N];
  return {
    projected: drawn(batch, L, E + C + H),
    convWeight: drawn(C, 1, K),
    ...(bias && { convBias: drawn<tf.Tensor1D>(C) }),
    dtBias: drawn(H),
    A_log: drawn(H),
    D: drawn(H),
    norm: drawn(E),
  };
}

/** The same one by one (equations A2, steps 2–5). */
function oneByOne(inputs: SsdMixerTensors, { H, P, G, N }: Sizes): tf.Tensor3D {
  const { projected, convWeight, convBias = null, dtBias, A_log, D, norm } = inputs;
  const A = tf.exp(A_log).neg() as tf.Tensor1D;
  const [batch, L] = projected.shape;
  const E = H * P;
  const [z, xBC, dt] = tf.split(projected, [E, E + 2 * G * N, H], 2);
  const mixed = causalConv1d(xBC as tf.Tensor3D, convWeight, convBias, { activation: 'silu' });
  const [x, B, C] = tf.split(mixed, [E, G * N, G * N], 2);
  const heads = x.reshape([batch, L, H, P]) as tf.Tensor4D;
  const groups = (t: tf.Tensor) => t.reshape([batch, L, G, N]) as tf.Tensor4D;
  const delta = tf.softplus(dt.add(dtBias)) as tf.Tensor3D;
  const scanned = ssdScan({ x: heads, delta, A, B: groups(B), C: groups(C), D });
  return rmsNorm(scanned.reshape([batch, L, E]) as tf.Tensor3D, norm, { epsilon: 1e-5, groups: G, gate: z });
}

const CASES: readonly Sizes[] = [
  { batch: 2, L: 70, H: 4, P: 16, G: 2, N: 24, K: 4, bias: true },
  { batch: 1, L: 5, H: 3, P: 5, G: 1, N: 7, K: 3, bias: false },
  { batch: 3, L: 130, H: 2, P: 33, G: 1, N: 16, K: 4, bias: true },
];

describe.each(CASES)('a Mamba-2 mixer in one kernel, %o', (sizes) => {
  it('has the values and gradients of its operations one by one', () => {
    const inputs = inputsOf(sizes);
    const tensors = Object.values(inputs) as tf.Tensor[];
    const dy = tf.randomNormal([sizes.batch, sizes.L, sizes.H * sizes.P], 0, 1, 'float32', 3);
    const named = (values: tf.Tensor[]) =>
      Object.fromEntries(Object.keys(inputs).map((name, i) => [name, values[i]])) as unknown as SsdMixerTensors;
    const both = [
      (values: tf.Tensor[]) => ssdMixer(named(values), { groups: sizes.G, epsilon: 1e-5 }),
      (values: tf.Tensor[]) => oneByOne(named(values), sizes),
    ].map((f) => {
      const gradients = tf.grads((...values: tf.Tensor[]) => f(values))(tensors, dy);
      return [f(tensors), ...gradients].map((value) => value.dataSync());
    });
    expect(both[0]).toEqual(both[1]);
  });
});

it('refuses what does not fit together', () => {
  const inputs = inputsOf(CASES[0]);
  const wrong = { ...inputs, projected: inputs.projected.slice([0, 0, 1]) };
  expect(() => ssdMixer(wrong, { groups: 2, epsilon: 1e-5 })).toThrow(OperandError);
  expect(() => ssdMixer(inputs, { groups: 3, epsilon: 1e-5 })).toThrow(OperandError);
});
