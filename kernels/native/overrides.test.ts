import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { isAvailable, unavailableReason } from './addon';
import { configureNative, nativeInfo, registerNative } from './register';
import { largestError, random, runOn } from './test-support';

if (!isAvailable) console.warn(`Native kernels are not tested: ${unavailableReason}`);

type Compute = () => tf.Tensor | tf.Tensor[];

/** Shapes that are 1, prime, just above a vector or a block, and large enough to be split over threads. */
const MATRICES = [
  [1, 1],
  [1, 17],
  [3, 5],
  [7, 1],
  [13, 33],
  [37, 129],
  [67, 521],
];

const positive = (x: tf.Tensor) => x.abs().add(0.01);

const UNARY: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  abs: (x) => x.abs(),
  clip: (x) => x.clipByValue(-0.5, 0.25),
  exp: (x) => x.mul(20).exp(),
  log: (x) => positive(x).log(),
  neg: (x) => x.neg(),
  pow2: (x) => x.pow(2),
  pow3: (x) => x.pow(3),
  powHalf: (x) => positive(x).pow(0.5),
  powMinusHalf: (x) => positive(x).pow(-0.5),
  powMinusOne: (x) => positive(x).pow(-1),
  powOther: (x) => positive(x).pow(1.7),
  reciprocal: (x) => positive(x).reciprocal(),
  relu: (x) => x.relu(),
  rsqrt: (x) => positive(x).rsqrt(),
  sigmoid: (x) => x.mul(10).sigmoid(),
  sign: (x) => x.sign(),
  softplus: (x) => x.mul(30).softplus(),
  sqrt: (x) => x.abs().sqrt(),
  square: (x) => x.square(),
  step: (x) => x.step(0.1),
  tanh: (x) => x.mul(3).tanh(),
  tanhSmall: (x) => x.mul(1e-3).tanh().mul(1e3),
};

const BINARY: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  equal: tf.equal,
  notEqual: tf.notEqual,
};

const BROADCASTS: [number[], number[]][] = [
  [[], []],
  [[5], []],
  [[], [3, 7]],
  [[19], [19]],
  [[13, 37], [37]],
  [
    [13, 1],
    [13, 37],
  ],
  [
    [13, 1],
    [1, 37],
  ],
  [
    [2, 3, 5],
    [3, 1],
  ],
  [
    [2, 1, 5, 1],
    [3, 1, 7],
  ],
  [
    [4, 1, 1, 9],
    [4, 3, 2, 9],
  ],
  [[2, 20011], [20011]],
  [[131, 257], [257]],
  [
    [131, 257],
    [131, 1],
  ],
  [[0, 3], [3]],
];

const LAYOUT: Readonly<Record<string, Compute>> = {
  slice: () => random([7, 11, 5], 1).slice([1, 2, 0], [3, 4, 5]),
  sliceColumns: () => random([129, 300], 2).slice([0, 7], [-1, 131]),
  sliceAll: () => random([3, 4], 2).slice([0, 0], [-1, -1]),
  sliceEmpty: () => random([3, 4], 2).slice([1, 1], [0, 2]),
  stridedSlice: () => random([9, 13], 3).stridedSlice([1, 12], [8, 0], [2, -3]),
  stridedSliceShrink: () => random([9, 13], 3).stridedSlice([4, 0], [5, 12], [1, 1], 0, 0, 0, 0, 1),
  split: () => tf.split(random([5, 21], 4), [7, 1, 13], 1),
  splitEven: () => tf.split(random([6, 5, 3], 4), 3, 0),
  unstack: () => tf.unstack(random([3, 4, 5], 5), 1),
  concat0: () => tf.concat([random([2, 5], 6), random([3, 5], 7)], 0),
  concat1: () => tf.concat([random([4, 5], 6), random([4, 1], 7), random([4, 17], 8)], 1),
  concatMiddle: () => tf.concat([random([3, 2, 5], 6), random([3, 7, 5], 7)], 1),
  concatEmpty: () => tf.concat([random([3, 0], 6), random([3, 7], 7)], 1),
  stack: () => tf.stack([random([3, 5], 8), random([3, 5], 9)], 1),
  stackLast: () => tf.stack([random([3, 5], 8), random([3, 5], 9)], -1),
  pad: () =>
    random([3, 5], 10).pad(
      [
        [3, 0],
        [1, 2],
      ],
      0.5,
    ),
  tile: () => random([3, 1, 5], 11).tile([2, 7, 3]),
  broadcastTo: () => random([1, 37], 11).broadcastTo([29, 37]),
  transpose2: () => random([67, 131], 12).transpose(),
  transpose021: () => random([3, 17, 9], 13).transpose([0, 2, 1]),
  transpose102: () => random([3, 17, 9], 13).transpose([1, 0, 2]),
  transpose210: () => random([3, 17, 9], 13).transpose([2, 1, 0]),
  transpose3102: () => random([2, 3, 5, 7], 14).transpose([3, 1, 0, 2]),
  transpose0213: () => random([2, 3, 5, 33], 14).transpose([0, 2, 1, 3]),
  transposeOnes: () => random([1, 17, 1, 9], 15).transpose([3, 2, 1, 0]),
  reverse: () => random([5, 7], 16).reverse(1),
  gather0: () =>
    random([11, 37], 17).gather(
      tf.tensor2d(
        [
          [3, 3, 10],
          [0, 1, 2],
        ],
        [2, 3],
        'int32',
      ),
    ),
  gather1: () => random([11, 37], 17).gather(tf.tensor1d([36, 0, 5], 'int32'), 1),
  segmentSum: () => tf.unsortedSegmentSum(random([5, 131], 18), tf.tensor1d([3, 0, 3, 9, 1], 'int32'), 5),
  where: () => tf.where(random([37, 41], 19).greater(0), random([37, 41], 20), random([37, 41], 21)),
  logical: () => {
    const a = random([37, 41], 22).greater(0);
    const b = random([37, 41], 23).greater(0);
    return [a.logicalAnd(b), a.logicalOr(b), a.logicalNot(), a.toFloat(), a.toInt().toFloat()];
  },
  fill: () => [tf.fill([37, 129], 2.5), tf.zerosLike(random([5, 7], 1)), tf.onesLike(random([71, 97], 1))],
  addN: () => tf.addN([random([7, 9], 1), random([7, 9], 2), random([7, 9], 3)]),
};

const REDUCTIONS: Record<string, Compute> = {};
const AXES: [number[], (number | number[])[]][] = [
  [[1], [0]],
  [[40009], [0]],
  [
    [37, 129],
    [0, 1, [0, 1]],
  ],
  [
    [1500, 3],
    [0, 1],
  ],
  [
    [3, 20011],
    [1, 0],
  ],
  [
    [3, 5, 7, 11],
    [0, 1, 3, [0, 2], [1, 2], [0, 1, 3], [1, 3]],
  ],
  [
    [4, 1, 6],
    [1, [1, 2]],
  ],
];
for (const [shape, axes] of AXES)
  for (const axis of axes)
    for (const keepDims of [false, true]) {
      const label = `[${shape}] over ${axis}${keepDims ? ' kept' : ''}`;
      REDUCTIONS[`sum ${label}`] = () => random(shape, 31).sum(axis, keepDims);
      REDUCTIONS[`mean ${label}`] = () => random(shape, 31).mean(axis, keepDims);
      REDUCTIONS[`max ${label}`] = () => random(shape, 31).max(axis, keepDims);
      REDUCTIONS[`min ${label}`] = () => random(shape, 31).min(axis, keepDims);
    }
for (const [rows, columns] of MATRICES) {
  const x = () => random([rows, columns], 32);
  const label = `[${rows},${columns}]`;
  REDUCTIONS[`softmax ${label}`] = () => x().mul(5).softmax();
  REDUCTIONS[`logSoftmax ${label}`] = () => x().mul(5).logSoftmax();
  REDUCTIONS[`logSumExp ${label}`] = () => x().mul(5).logSumExp(1);
  REDUCTIONS[`argMax ${label}`] = () => x().mul(7).floor().argMax(-1);
  REDUCTIONS[`cumsum ${label}`] = () => [
    x().cumsum(0),
    x().cumsum(1),
    x().cumsum(0, true, false),
    x().cumsum(1, false, true),
    x().cumsum(0, true, true),
  ];
}

const PRODUCTS: [number, number, number][] = [
  [1, 1, 1],
  [1, 37, 129],
  [3, 129, 37],
  [4, 100, 65],
  [5, 7, 3],
  [7, 16, 17],
  [13, 33, 67],
  [61, 80, 131],
  [130, 97, 811],
  [300, 260, 70],
];

/** Both sides add up hundreds of float32 products, in different orders. */
const PRODUCT_TOLERANCE = 2e-5;

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 88, 89, -87, -104, 1e-30, 3e38, -3e38, 100, -100, 0.5];

describe('native overrides against tfjs cpu', needs(isAvailable, ADD_ON), () => {
  beforeAll(() => {
    registerNative();
  });

  const instructionSets = ['generic', 'avx2', 'avx512'].filter((isa) => {
    try {
      configureNative({ isa });
      return true;
    } catch {
      return false;
    }
  });
  const best = instructionSets[instructionSets.length - 1];

  const check = async (compute: Compute, tolerance = 2e-6) => {
    const expected = await runOn('cpu', compute);
    for (const isa of instructionSets)
      for (const threads of [1, 2]) {
        configureNative({ isa, threads });
        const actual = await runOn('native', compute);
        expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
          expected.map(({ shape, dtype }) => ({ shape, dtype })),
        );
        expected.forEach(({ values }, i) => {
          expect(largestError(values, actual[i].values), `${isa}, ${threads} threads`).toBeLessThanOrEqual(tolerance);
        });
      }
    configureNative({ isa: best, threads: 2 });
  };

  it('runs every instruction set that this processor has', () => {
    expect(instructionSets).toContain('generic');
    expect(nativeInfo().isa).toBe(best);
  });

  it.each(Object.keys(UNARY))('%s', async (name) => {
    for (const shape of MATRICES) await check(() => UNARY[name](random(shape, 3)));
  });

  it.each(Object.keys(BINARY))('%s with broadcasting', async (name) => {
    for (const [a, b] of BROADCASTS) {
      await check(() => BINARY[name](random(a, 4), random(b, 5)));
      await check(() => BINARY[name](random(b, 5), random(a, 4)));
    }
  });

  it.each(Object.keys(LAYOUT))('%s', (name) => check(LAYOUT[name], 0));

  it.each(Object.keys(REDUCTIONS))('%s', (name) => check(REDUCTIONS[name], 1e-5));

  it.each(PRODUCTS)('matMul %i x %i x %i', async (M, N, K) => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        await check(
          () =>
            tf.matMul(
              random(transposeA ? [K, M] : [M, K], 6),
              random(transposeB ? [N, K] : [K, N], 7),
              transposeA,
              transposeB,
            ),
          PRODUCT_TOLERANCE,
        );
  });

  it('matMul with batches, and one matrix for all of a batch', async () => {
    await check(() => tf.matMul(random([3, 2, 13, 7], 1), random([3, 2, 7, 19], 2)), 4e-6);
    await check(() => tf.matMul(random([5, 13, 7], 1), random([1, 7, 19], 2)), 4e-6);
    await check(() => tf.matMul(random([1, 13, 7], 1), random([5, 7, 19], 2)), 4e-6);
    await check(() => tf.matMul(random([5, 7, 13], 1), random([1, 19, 7], 2), true, true), 4e-6);
    await check(() => tf.matMul(random([2, 3, 5, 7], 1), random([7, 19], 2)), 4e-6);
  });

  it.each(['linear', 'relu', 'sigmoid'] as const)('fused matMul with bias and %s', async (activation) => {
    for (const [M, N, K] of PRODUCTS)
      await check(() => {
        const a = random([M, K], 8) as tf.Tensor2D;
        const b = random([K, N], 9) as tf.Tensor2D;
        return tf.fused.matMul({ a, b, bias: random([N], 10), activation });
      }, PRODUCT_TOLERANCE);
  });

  it('passes NaN and infinities on as tfjs does', async () => {
    const x = () => tf.tensor1d(SPECIAL);
    for (const f of [tf.exp, tf.softplus, tf.sigmoid, tf.tanh, tf.relu, tf.abs, tf.neg, tf.square, tf.step, tf.sqrt])
      await check(() => f(x()));
    await check(() => x().mul(x().sigmoid()));
    await check(() => x().clipByValue(-2, 2));
    await check(() => x().log());
    for (const f of [tf.maximum, tf.minimum, tf.greater, tf.equal, tf.add, tf.mul])
      await check(() => f(x().expandDims(1), x().expandDims(0)));
    await check(() => tf.tensor2d([1, NaN, 3, Infinity, 1, 2, -Infinity, 1, 2], [3, 3]).max(1));
    await check(() => tf.tensor2d([1, NaN, 3, Infinity, 1, 2, -Infinity, 1, 2], [3, 3]).min(0));
    await check(() => tf.tensor2d([1, NaN, 3, 4, -Infinity, 2, 3, 4], [2, 4]).softmax());
  });

  it('refuses an index that gather cannot reach', async () => {
    await tf.setBackend('native');
    expect(() => random([3, 2], 1).gather(tf.tensor1d([3], 'int32'))).toThrow(/index 3/);
  });
});
