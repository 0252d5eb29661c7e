import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADAPTER, needs } from '@/testing/needs';
import { fromHalves, type HalfFormat, keepsHalves, roundToBfloat16, toBfloat16Values } from '../ops';
import { bfloat16Bits } from '../ops/bfloat16-bits';
import { float16Of, float16Value } from '../reference/float16';
import { Random } from '../reference/random';
import { expectClose } from '../reference/test-support';
import type { Backend } from './program';
import { registerWebgpu } from './register';
import { allowSoftwareAdapter } from './testing/software-adapter';
import { dispatchesOf } from './traffic';

allowSoftwareAdapter();
const adapter = await registerWebgpu();

const random = new Random(11);
const numbers = (count: number) => Float32Array.from(random.normal(count, 1));
const drawn = <T extends tf.Tensor>(shape: number[]): T => tf.tensor(numbers(tf.util.sizeFromShape(shape)), shape) as T;

const FORMATS: Readonly<Record<HalfFormat, { bits: (value: number) => number; value: (bits: number) => number }>> = {
  float16: { bits: float16Of, value: float16Value },
  bfloat16: {
    bits: (value) => bfloat16Bits(new Uint32Array(Float32Array.of(value).buffer)[0]),
    value: (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0],
  },
};
const names: HalfFormat[] = ['float16', 'bfloat16'];

/** A matrix in its 16 bits, and the same as float32. */
function pair(N: number, K: number, format: HalfFormat): [tf.Variable<tf.Rank.R2>, tf.Tensor2D] {
  const bits = Uint16Array.from(numbers(N * K), FORMATS[format].bits);
  const kept = tf.tidy(() => tf.variable(fromHalves(bits, [N, K], format), true));
  const values = Float32Array.from(bits, FORMATS[format].value);
  return [kept as tf.Variable<tf.Rank.R2>, tf.tensor2d(values, [N, K])];
}

/** The same of both, and none of the memory for it left behind. */
function expectAlike(compute: (weight: tf.Tensor2D) => tf.Tensor, weights: ReturnType<typeof pair>, tolerance: number) {
  const before = tf.memory();
  const [got, expected] = weights.map((weight) => tf.tidy(() => compute(weight).dataSync().slice()));
  expectClose(got, expected, tolerance, 'value');
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
}

describe('weights of 16 bits on the GPU', needs(adapter, ADAPTER), () => {
  beforeAll(async () => {
    await tf.setBackend('webgpu');
  });

  it('are kept in two bytes a value', () => {
    expect(keepsHalves()).toBe(true);
    const bytes = () => (tf.memory() as unknown as { numBytesInGPU: number }).numBytesInGPU;
    const before = bytes();
    const [kept, wide] = pair(64, 128, 'float16');
    expect(bytes() - before).toBe(2 * 64 * 128);
    tf.dispose([kept, wide]);
  });

  it.each(names)('are widened from every %s there is, subnormals and infinities included', async (format) => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const kept = fromHalves(bits, [256, 256], format);
    const rows = tf.tidy(() => tf.gather(kept, tf.range(0, 256, 1, 'int32')));
    for (const values of [kept.dataSync(), await kept.data(), rows.dataSync()])
      for (let i = 0; i < 65536; i++) {
        const expected = FORMATS[format].value(i);
        if (!Object.is(values[i], expected)) expect(values[i], `bits ${i}`).toBe(expected);
      }
    tf.dispose([kept, rows]);
  });

  it.each(
    names.flatMap((format) => {
      // Each number of rows up to 8 is a program of its own, and so are pairs of an even depth.
      const sizes = [
        [1, 36],
        [2, 37],
        [8, 36],
        [9, 36],
        [33, 37],
      ] as const;
      return sizes.map(([M, K]) => [format, M, K] as const);
    }),
  )('are read as %s by a product of %i rows of %i, either way round, as floats are', (format, M, K) => {
    const N = 50;
    const weights = pair(N, K, format);
    const [x, turned] = [drawn<tf.Tensor2D>([M, K]), drawn<tf.Tensor2D>([M, N])];
    expectAlike((weight) => tf.matMul(x, weight, false, true), weights, 1e-6);
    expectAlike((weight) => tf.matMul(turned, weight), weights, 1e-6);
    tf.dispose([x, turned, ...weights]);
  });

  it.each(names)('are widened for programs that read float32 alone: %s', (format) => {
    const weights = pair(5, 7, format);
    const ids = tf.tensor2d([[4, 0, 3]], [1, 3], 'int32');
    expectAlike((weight) => weight.mul(2), weights, 0);
    expectAlike((weight) => tf.concat([weight, weight.transpose().reshape([5, 7])], 1), weights, 0);
    expectAlike((weight) => tf.gather(weight, ids), weights, 0);
    expectAlike((weight) => tf.gather(weight, ids.flatten(), 1), weights, 0);
    expectAlike((weight) => tf.grad((w: tf.Tensor) => tf.matMul(w, w, false, true).sum())(weight), weights, 1e-6);
    tf.dispose([ids, ...weights]);
  });

  it('count by their bytes where they are read, and once more where they are widened', () => {
    const [kept, wide] = pair(50, 64, 'float16');
    const x = drawn<tf.Tensor2D>([16, 64]);
    const asked = (compute: () => tf.Tensor) => dispatchesOf(() => tf.dispose(compute()));
    const bytes = (weight: tf.Tensor2D) => asked(() => tf.matMul(x, weight, false, true))[0].bytes;
    expect(bytes(wide) - bytes(kept)).toBe(2 * 50 * 64);
    const elementwise = asked(() => kept.add(kept));
    expect(elementwise.map(({ name }) => name).filter((name) => name.includes('widen'))).toHaveLength(2);
    tf.dispose([kept, wide, x]);
  });

  it('are forgotten when the weight changes', () => {
    const [kept, wide] = pair(50, 64, 'float16');
    tf.tidy(() => kept.assign(kept.mul(2)));
    expect((tf.backend() as Backend).halfFormat(kept)).toBeUndefined();
    expectClose(kept.dataSync(), wide.mul(2).dataSync(), 0, 'value');
    tf.dispose([kept, wide]);
  });

  it('are rounded to bfloat16 as on every device', () => {
    const given = [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -3.14159274, 1e38, Infinity, 0];
    const rounded = roundToBfloat16(tf.tensor1d(given));
    expect((tf.backend() as Backend).halfFormat(rounded)).toBe('bfloat16');
    expect([...rounded.dataSync()]).toEqual([...toBfloat16Values(Float32Array.from(given))]);
  });
});
