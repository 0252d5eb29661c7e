import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import {
  causalConv1d,
  hasS6Mixer,
  hasS6MixerWithState,
  hasSsdMixer,
  hasSsdMixerWithState,
  type MixerMemory,
  type MixerOutput,
  OperandError,
  rmsNorm,
  s6Mixer,
  s6MixerWithState,
  selectiveScan,
  ssdMixer,
  ssdMixerWithState,
  ssdScan,
} from '../ops';
import { Random } from '../reference/random';
import { expectClose } from '../reference/test-support';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

const random = new Random(5);
const drawn = <T extends tf.Tensor>(shape: number[], scale = 1): T => {
  const size = shape.reduce((product, n) => product * n, 1);
  return tf.tensor(Float32Array.from(random.normal(size, scale)), shape) as T;
};

const s6Weights = (E: number, N: number, R: number, biases: boolean) => ({
  convWeight: drawn<tf.Tensor3D>([E, 1, 4], 0.5),
  xProj: drawn<tf.Tensor2D>([R + 2 * N, E], 0.3),
  dtProj: drawn<tf.Tensor2D>([E, R]),
  A_log: drawn<tf.Tensor2D>([E, N]),
  D: drawn<tf.Tensor1D>([E]),
  ...(biases && { convBias: drawn<tf.Tensor1D>([E]), dtBias: drawn<tf.Tensor1D>([E]) }),
});

const ssdWeights = (E: number, channels: number, H: number, bias: boolean) => ({
  convWeight: drawn<tf.Tensor3D>([channels, 1, 4], 0.5),
  dtBias: drawn<tf.Tensor1D>([H]),
  A_log: drawn<tf.Tensor1D>([H]),
  D: drawn<tf.Tensor1D>([H]),
  norm: drawn<tf.Tensor1D>([E]),
  ...(bias && { convBias: drawn<tf.Tensor1D>([channels]) }),
});

const linear = (x: tf.Tensor3D, weight: tf.Tensor2D): tf.Tensor3D =>
  tf.matMul(x.reshape([-1, x.shape[2]]), weight, false, true).reshape([x.shape[0], x.shape[1], weight.shape[0]]);

/** Equal to the same operations one by one, each of which is tested against the reference, and nothing is left behind. */
function expectEqual(whole: () => tf.Tensor, oneByOne: () => tf.Tensor): void {
  const before = tf.memory().numTensors;
  const [got, expected] = [tf.tidy(() => whole().dataSync()), tf.tidy(() => oneByOne().dataSync())];
  expectClose(got, expected, 1e-5, 'value');
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before);
}

/** A text piece by piece, each from what the one before left. */
function inPieces(
  projected: tf.Tensor3D,
  lengths: readonly number[],
  mixer: (piece: tf.Tensor3D, memory: MixerMemory) => MixerOutput,
): tf.Tensor {
  let memory: MixerMemory = {};
  let start = 0;
  const outputs = lengths.map((length) => {
    const { y, ...left } = mixer(projected.slice([0, start, 0], [-1, length, -1]), memory);
    memory = left;
    start += length;
    return y;
  });
  return tf.concat(outputs, 1);
}

describe('mixers between their projections, operands read in place', needs(adapter, ADAPTER), () => {
  beforeAll(() => tf.setBackend('webgpu'));

  it.each([
    { batch: 2, L: 70, E: 67, N: 16, R: 5, biases: true },
    { batch: 1, L: 9, E: 20, N: 3, R: 2, biases: false },
  ])('Mamba-1, %o', ({ batch, L, E, N, R, biases }) => {
    const inputs = { projected: drawn<tf.Tensor3D>([batch, L, 2 * E]), ...s6Weights(E, N, R, biases) };
    expectEqual(
      () => s6Mixer(inputs),
      () => {
        const [x0, z] = tf.split(inputs.projected, 2, 2);
        const x = causalConv1d(x0 as tf.Tensor3D, inputs.convWeight, inputs.convBias ?? null, { activation: 'silu' });
        const [low, B, C] = tf.split(linear(x, inputs.xProj), [R, N, N], 2) as tf.Tensor3D[];
        const raw = linear(low, inputs.dtProj);
        const delta = inputs.dtBias ? (raw.add(inputs.dtBias) as tf.Tensor3D) : raw;
        const A = tf.exp(inputs.A_log).neg() as tf.Tensor2D;
        return selectiveScan({ x, delta, A, B, C, D: inputs.D, z: z as tf.Tensor3D }, { softplus: true });
      },
    );
  });

  it.each([
    { batch: 2, L: 70, H: 4, P: 33, G: 2, N: 18, bias: true },
    { batch: 1, L: 9, H: 3, P: 5, G: 1, N: 7, bias: false },
    { batch: 1, L: 131, H: 2, P: 8, G: 1, N: 40, bias: true },
  ])('Mamba-2, %o', ({ batch, L, H, P, G, N, bias }) => {
    const [E, channels] = [H * P, H * P + 2 * G * N];
    const inputs = {
      projected: drawn<tf.Tensor3D>([batch, L, E + channels + H]),
      ...ssdWeights(E, channels, H, bias),
    };
    expectEqual(
      () => ssdMixer(inputs, { groups: G, epsilon: 1e-5 }),
      () => {
        const [z, xBC, dt] = tf.split(inputs.projected, [E, channels, H], 2);
        const { convWeight, convBias = null } = inputs;
        const mixed = causalConv1d(xBC as tf.Tensor3D, convWeight, convBias, { activation: 'silu' });
        const [x, B, C] = tf.split(mixed, [E, G * N, G * N], 2);
        const groups = (t: tf.Tensor) => t.reshape([batch, L, G, N]) as tf.Tensor4D;
        const delta = tf.softplus(dt.add(inputs.dtBias)) as tf.Tensor3D;
        const A = tf.exp(inputs.A_log).neg() as tf.Tensor1D;
        const heads = x.reshape([batch, L, H, P]) as tf.Tensor4D;
        const y = ssdScan({ x: heads, delta, A, B: groups(B), C: groups(C), D: inputs.D });
        return rmsNorm(y.reshape([batch, L, E]), inputs.norm, { epsilon: 1e-5, groups: G, gate: z });
      },
    );
  });

  it.each([
    { lengths: [40, 1, 2, 90], biases: true },
    { lengths: [2, 33], biases: false },
  ])('Mamba-1 in pieces of $lengths tokens is the same text in one', ({ lengths, biases }) => {
    const [batch, E, N, R] = [2, 35, 16, 3];
    const L = lengths.reduce((sum, length) => sum + length);
    const projected = drawn<tf.Tensor3D>([batch, L, 2 * E]);
    const weights = s6Weights(E, N, R, biases);
    expectEqual(
      () => inPieces(projected, lengths, (piece, memory) => s6MixerWithState({ ...weights, projected: piece }, memory)),
      () => s6Mixer({ ...weights, projected }),
    );
    expect(() => s6MixerWithState({ ...weights, projected }, { state: tf.zeros([batch, E, N + 1]) })).toThrow(
      OperandError,
    );
  });

  it.each([
    { lengths: [40, 1, 2, 90], G: 2, bias: true },
    { lengths: [2, 65], G: 1, bias: false },
  ])('Mamba-2 in pieces of $lengths tokens is the same text in one', ({ lengths, G, bias }) => {
    const [batch, H, P, N] = [2, 4, 5, 18];
    const [E, channels] = [H * P, H * P + 2 * G * N];
    const L = lengths.reduce((sum, length) => sum + length);
    const projected = drawn<tf.Tensor3D>([batch, L, E + channels + H]);
    const weights = ssdWeights(E, channels, H, bias);
    const options = { groups: G, epsilon: 1e-5 };
    expectEqual(
      () =>
        inPieces(projected, lengths, (piece, memory) =>
          ssdMixerWithState({ ...weights, projected: piece }, options, memory),
        ),
      () => ssdMixer({ ...weights, projected }, options),
    );
    expect(() =>
      ssdMixerWithState({ ...weights, projected }, options, { past: tf.zeros([batch, 2, channels]) }),
    ).toThrow(OperandError);
  });

  it('are not offered where gradients are asked for', () => {
    const offered = () => [hasS6Mixer(), hasSsdMixer(), hasS6MixerWithState(), hasSsdMixerWithState()];
    expect(offered()).toEqual([true, true, true, true]);
    const x = tf.scalar(1);
    tf.grad((value) => {
      expect(offered()).toEqual([false, false, false, false]);
      return value.mul(2);
    })(x);
  });
});

describe('products of matrices', needs(adapter, ADAPTER), () => {
  beforeAll(() => tf.setBackend('webgpu'));

  // 20 × 16300 is 128 of the large tiles; the others are small ones, none of them a multiple of a tile.
  it.each([
    [3, 130, 21],
    [16, 16, 16],
    [33, 7, 70],
    [65, 100, 129],
    [20, 9, 16300],
  ])('%i × %i × %i in every transposition, and their gradients', (M, K, N) => {
    for (const [transposeA, transposeB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ]) {
      const a = drawn<tf.Tensor2D>(transposeA ? [K, M] : [M, K]);
      const b = drawn<tf.Tensor2D>(transposeB ? [N, K] : [K, N]);
      const [left, right] = [a.dataSync(), b.dataSync()];
      const got = tf.tidy(() => tf.matMul(a, b, transposeA, transposeB).dataSync());
      const at = (m: number, n: number) => {
        let sum = 0;
        for (let k = 0; k < K; k++)
          sum += left[transposeA ? k * M + m : m * K + k] * right[transposeB ? n * K + k : k * N + n];
        return sum;
      };
      const expected = Float64Array.from({ length: M * N }, (_, i) => at(Math.floor(i / N), i % N));
      expectClose(got, expected, 2e-6, 'value');
      tf.dispose([a, b]);
    }
  });

  it('are ours where a matrix is wide enough, with and without a batch of one', () => {
    const [a, b] = [drawn<tf.Tensor3D>([1, 20, 6]), drawn<tf.Tensor2D>([6, 18])];
    const whole = tf.matMul(a, b) as tf.Tensor;
    expect(whole.shape).toEqual([1, 20, 18]);
    const flat = tf.matMul(a.reshape([20, 6]) as tf.Tensor2D, b);
    expectClose(whole.dataSync(), flat.dataSync(), 0, 'value');
  });

  it('have gradients that are products too', () => {
    const [a, b, dy] = [drawn<tf.Tensor2D>([70, 33]), drawn<tf.Tensor2D>([65, 33]), drawn<tf.Tensor2D>([70, 65])];
    const [da, db] = tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, false, true))([a, b], dy);
    expectClose(da.dataSync(), tf.matMul(dy, b).dataSync(), 1e-6, 'gradient of a');
    expectClose(db.dataSync(), tf.matMul(dy, a, true).dataSync(), 1e-6, 'gradient of b');
  });
});
