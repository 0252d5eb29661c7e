import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { OperandError, rmsNorm, type SsdBlockMixer, type SsdBlockTensors, ssdBlock, ssdMixer } from '../../ops';
import * as reference from '../../reference';
import { isAvailable } from '../addon';
import { configureNative, registerNative } from '../register';
import { onEverySetting, random } from '../test-support';

interface Sizes {
  readonly batch: number;
  readonly L: number;
  readonly d: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  readonly N: number;
  readonly K: number;
  readonly bias: boolean;
  /** Of the second mixer's share; none where there is one mixer. */
  readonly shares?: number;
  readonly subln?: boolean;
  readonly scale: number;
}

const EPSILONS = [1e-5, 2e-5, 3e-5] as const;

function mixerOf({ d, H, P, G, N, K, bias }: Sizes, seed: number): SsdBlockMixer {
  const [E, C] = [H * P, H * P + 2 * G * N];
  let next = seed;
  const drawn = <T extends tf.Tensor>(...shape: number[]) => random(shape, next++) as T;
  return {
    inProj: drawn(E + C + H, d),
    convWeight: drawn(C, 1, K),
    ...(bias && { convBias: drawn<tf.Tensor1D>(C) }),
    dtBias: drawn(H),
    A_log: drawn(H),
    D: drawn(H),
    norm: drawn(E),
    outProj: drawn(d, E),
  };
}

function inputsOf(sizes: Sizes): SsdBlockTensors {
  const { batch, L, d, shares, subln } = sizes;
  return {
    h: random([batch, L, d], 1) as tf.Tensor3D,
    norm: random([d], 2) as tf.Tensor1D,
    mixers: shares === undefined ? [mixerOf(sizes, 10)] : [mixerOf(sizes, 10), mixerOf(sizes, 20)],
    ...(shares !== undefined && { share: random(shares === 0 ? [] : [shares], 3) }),
    ...(subln && { subln: random([d], 4) as tf.Tensor1D }),
  };
}

/** Every tensor of the inputs, and the inputs with others in their place. */
function flat(inputs: SsdBlockTensors): [tf.Tensor[], (values: tf.Tensor[]) => SsdBlockTensors] {
  const { mixers, ...others } = inputs;
  const groups = [others, ...mixers] as object[];
  return [
    groups.flatMap((group) => Object.values(group)),
    (values) => {
      const left = [...values];
      const [outer, ...inner] = groups.map((group) =>
        Object.fromEntries(Object.keys(group).map((name) => [name, left.shift()])),
      );
      return { ...outer, mixers: inner } as unknown as SsdBlockTensors;
    },
  ];
}

/** The same, operation by operation. */
function oneByOne({ h, norm, mixers, share, subln }: SsdBlockTensors, { G, scale }: Sizes): tf.Tensor3D {
  const [B, L, d] = h.shape;
  const u = rmsNorm(h, norm, { epsilon: EPSILONS[0] }).reshape([B * L, d]) as tf.Tensor2D;
  const output = ({ inProj, outProj, ...mixer }: SsdBlockMixer) => {
    const projected = tf.matMul(u, inProj, false, true).reshape([B, L, -1]) as tf.Tensor3D;
    const y = ssdMixer({ projected, ...mixer }, { groups: G, epsilon: EPSILONS[1] });
    return tf.matMul(y.reshape([B * L, -1]), outProj as tf.Tensor, false, true).reshape([B, L, d]) as tf.Tensor3D;
  };
  const [first, second] = mixers;
  let sum = output(first);
  if (second && share) sum = sum.add(output(second).mul(share));
  if (subln) sum = rmsNorm(sum, subln, { epsilon: EPSILONS[2] });
  return h.add(sum.mul(scale));
}

const valuesAndGradients = (f: (inputs: SsdBlockTensors) => tf.Tensor3D, inputs: SsdBlockTensors): Float32Array[] => {
  const [tensors, named] = flat(inputs);
  return tf.tidy(() => {
    const dy = random(inputs.h.shape, 5);
    const gradients = tf.grads((...values: tf.Tensor[]) => f(named(values)))(tensors, dy);
    return [f(inputs), ...gradients].map((value) => value.dataSync().slice() as Float32Array);
  });
};

const ONE = { batch: 3, L: 70, d: 24, H: 4, P: 16, G: 2, N: 24, K: 4, bias: true, scale: 1 };
const CASES: readonly Sizes[] = [
  ONE,
  { batch: 1, L: 5, d: 7, H: 3, P: 5, G: 1, N: 7, K: 3, bias: false, scale: 0.6 },
  { batch: 17, L: 33, d: 12, H: 2, P: 8, G: 1, N: 16, K: 4, bias: true, scale: 1 },
  { ...ONE, shares: 0, subln: true, scale: 0.8 },
  { ...ONE, batch: 10, L: 20, bias: false, shares: 24, scale: 0.7 },
];

/**
 * Two mixers with one share or one for each channel, with and without a norm of the sum. In the third the terms of the gradient nearly
 * cancel: single operations, which add up a float32 for every token and channel, are off by 1.7e-5 there.
 */
const SHARES: readonly Sizes[] = [
  { ...ONE, bias: false, shares: 0 },
  { ...ONE, bias: false, shares: 0, subln: true, scale: 0.8 },
  { ...ONE, batch: 8, L: 256, d: 32, P: 8, bias: false, shares: 0, subln: true, scale: 0.8 },
  { ...ONE, batch: 2, L: 6, d: 12, P: 4, N: 5, shares: 12, scale: 0.8 },
  { ...ONE, shares: 24, subln: true, scale: 0.8 },
];

const wide = (tensor: tf.Tensor): Float64Array => Float64Array.from(tensor.dataSync());

/** a [rows,depth] · b [columns,depth]ᵀ */
function product(a: Float64Array, b: Float64Array, depth: number): Float64Array {
  const columns = b.length / depth;
  return Float64Array.from({ length: (a.length / depth) * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns) * depth, (at % columns) * depth];
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += a[row + k] * b[column + k];
    return sum;
  });
}

/** What a mixer adds of u [B·L,d], in float64. */
function mixedExactly(u: Float64Array, mixer: SsdBlockMixer, { batch, L, d, H, P, G, N, K }: Sizes): Float64Array {
  const [rows, E, C] = [batch * L, H * P, H * P + 2 * G * N];
  const projected = product(u, wide(mixer.inProj), d);
  const columns = (values: Float64Array, width: number, from: number, to: number) =>
    Float64Array.from({ length: rows * (to - from) }, (_, i) => {
      return values[Math.floor(i / (to - from)) * width + from + (i % (to - from))];
    });
  const W = E + C + H;
  const mixed = reference.causalConv1d({
    ...{ batch, L, E: C, K, silu: true },
    x: columns(projected, W, E, E + C),
    weight: wide(mixer.convWeight),
    ...(mixer.convBias && { bias: wide(mixer.convBias) }),
  });
  const dtBias = wide(mixer.dtBias);
  const y = reference.ssdScan({
    ...{ batch, L, H, P, G, N },
    x: columns(mixed, C, 0, E),
    delta: columns(projected, W, E + C, W).map((dt, i) => Math.log1p(Math.exp(dt + dtBias[i % H]))),
    A: wide(mixer.A_log).map((value) => -Math.exp(value)),
    B: columns(mixed, C, E, E + G * N),
    C: columns(mixed, C, E + G * N, C),
    D: wide(mixer.D),
  });
  const gate = columns(projected, W, 0, E);
  const normed = reference.rmsNorm({ rows, E, groups: G, epsilon: EPSILONS[1], x: y, weight: wide(mixer.norm), gate });
  return product(normed, wide(mixer.outProj), E);
}

/** d⟨dy, block⟩ / dshare by a central difference of values in float64. */
function shareGradientExactly(
  { h, norm, mixers, share, subln }: SsdBlockTensors,
  sizes: Sizes,
  dy: tf.Tensor,
): Float64Array {
  const { batch, L, d, scale } = sizes;
  const rows = batch * L;
  const norms = (x: Float64Array, weight: tf.Tensor, epsilon: number) =>
    reference.rmsNorm({ rows, E: d, groups: 1, epsilon, x, weight: wide(weight) });
  const u = norms(wide(h), norm, EPSILONS[0]);
  const [first, second] = mixers.map((mixer) => mixedExactly(u, mixer as SsdBlockMixer, sizes));
  const [shares, towards] = [wide(share as tf.Tensor), wide(dy)];
  const value = (moved: Float64Array) => {
    const sum = first.map((x, i) => x + (moved.length > 1 ? moved[i % d] : moved[0]) * second[i]);
    return (subln ? norms(sum, subln, EPSILONS[2]) : sum).reduce((total, x, i) => total + scale * x * towards[i], 0);
  };
  const step = 1e-5;
  return shares.map((_, i) => {
    const [up, down] = [1, -1].map((sign) => value(shares.map((x, k) => (k === i ? x + sign * step : x))));
    return (up - down) / (2 * step);
  });
}

const sizeOf = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));

describe('a block around a Mamba-2 mixer, or two, in one kernel', needs(isAvailable, ADD_ON), () => {
  onEverySetting(() => {
    it.each(CASES)('has the values and gradients of its operations one by one: %o', (sizes) => {
      const inputs = inputsOf(sizes);
      const options = { groups: sizes.G, epsilons: EPSILONS, scale: sizes.scale };
      const before = tf.memory().numTensors;
      const found = valuesAndGradients((values) => ssdBlock(values, options), inputs);
      const wanted = valuesAndGradients((values) => oneByOne(values, sizes), inputs);
      wanted.forEach((values, i) => {
        const error = sizeOf(values.map((value, k) => value - found[i][k]));
        expect(error / sizeOf(values), `number ${i}`).toBeLessThan(1e-5);
      });
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  describe('on the native device', () => {
    beforeAll(async () => {
      registerNative();
      await tf.setBackend('native');
    });

    it.each(CASES)('gives the same to the last bit on any number of threads: %o', (sizes) => {
      const options = { groups: sizes.G, epsilons: EPSILONS, scale: sizes.scale };
      const inputs = inputsOf(sizes);
      const initial = configureNative();
      const on = (threads: number) => {
        configureNative({ threads });
        return valuesAndGradients((values) => ssdBlock(values, options), inputs);
      };
      try {
        const one = on(1);
        for (const threads of [2, 5, 40]) expect(on(threads)).toEqual(one);
      } finally {
        configureNative(initial);
      }
    });

    it.each(SHARES)('has the gradient of the share that float64 gives: %o', (sizes) => {
      const inputs = inputsOf(sizes);
      const options = { groups: sizes.G, epsilons: EPSILONS, scale: sizes.scale };
      const dy = random(inputs.h.shape, 5);
      const wanted = shareGradientExactly(inputs, sizes, dy);
      const found = tf.grad((share: tf.Tensor) => ssdBlock({ ...inputs, share }, options))(
        inputs.share as tf.Tensor,
        dy,
      );
      const error = sizeOf(found.dataSync().map((value, i) => value - wanted[i]));
      expect(error / sizeOf(wanted)).toBeLessThan(3e-6);
    });

    it('refuses what does not fit together', () => {
      const inputs = inputsOf({ ...ONE, shares: 0 });
      const options = { groups: 2, epsilons: EPSILONS, scale: 1 };
      const [first, second] = inputs.mixers;
      expect(() => ssdBlock({ ...inputs, share: undefined }, options)).toThrow(/together/);
      expect(() =>
        ssdBlock({ ...inputs, mixers: [first, { ...(second as SsdBlockMixer), ...other() }] }, options),
      ).toThrow(/two mixers differ in the size of/);
      expect(() => ssdBlock({ ...inputs, norm: tf.ones([25]) }, options)).toThrow(OperandError);
      expect(() => ssdBlock(inputs, { ...options, groups: 3 })).toThrow(OperandError);
    });
  });
});

/** A mixer of another width. */
const other = (): SsdBlockMixer => mixerOf({ ...ONE, P: 8 }, 30);
