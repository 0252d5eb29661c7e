import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { isAvailable, unavailableReason } from './addon';
import { NativeBackend } from './backend';
import { BufferPool } from './buffers';
import { registerNative } from './register';
import { largestError, random, runOn } from './test-support';

if (!isAvailable) console.warn(`The native backend is not tested: ${unavailableReason}`);

/** Long enough to be pooled. */
const SHAPE = [96, 128];

/** Makes and drops many tensors of the pooled size, filled with `value`. */
function churn(value: number): void {
  tf.tidy(() => {
    for (let i = 0; i < 8; i++) tf.fill(SHAPE, value).add(i);
  });
}

describe('BufferPool', () => {
  it('hands a given buffer out again, once, and only for its length', () => {
    const pool = new BufferPool();
    const buffer = pool.take(5000);
    pool.give(buffer);
    expect(pool.heldBytes).toBe(20000);
    expect(pool.take(5001)).not.toBe(buffer);
    expect(pool.take(5000)).toBe(buffer);
    expect(pool.take(5000)).not.toBe(buffer);
    expect(pool.heldBytes).toBe(0);
  });

  it('does not keep small buffers worth less than their bookkeeping', () => {
    expect(BufferPool.keeps(16)).toBe(false);
    expect(BufferPool.keeps(5000)).toBe(true);
  });
});

describe('native backend', needs(isAvailable, ADD_ON), () => {
  beforeAll(async () => {
    registerNative();
    await tf.setBackend('native');
  });

  const backend = () => tf.backend() as unknown as NativeBackend;

  it('is a backend of its own, registered once', () => {
    expect(registerNative()).toBe(true);
    expect(tf.getBackend()).toBe('native');
    expect(tf.backend()).toBeInstanceOf(NativeBackend);
  });

  it('recycles the buffer of a tensor that nobody has read', () => {
    const first = tf.fill(SHAPE, 1);
    const buffer = backend().floats(first);
    first.dispose();
    const second = tf.fill(SHAPE, 2);
    expect(backend().floats(second)).toBe(buffer);
    second.dispose();
  });

  it('never recycles a buffer whose view dataSync has handed out', () => {
    const tensor = tf.fill(SHAPE, 1).add(1);
    const view = tensor.dataSync();
    tensor.dispose();
    churn(9);
    expect(view.every((value) => value === 2)).toBe(true);
  });

  it('never recycles a buffer whose view data() has handed out', async () => {
    const tensor = tf.fill(SHAPE, 1).add(1);
    const view = await tensor.data();
    tensor.dispose();
    churn(9);
    expect(view.every((value) => value === 2)).toBe(true);
  });

  it('never recycles a buffer while a reshape, a clone or a variable shares it', () => {
    const source = tf.fill(SHAPE, 3);
    const reshaped = source.reshape([-1]);
    const clone = source.clone();
    const variable = tf.variable(source);
    source.dispose();
    churn(9);
    for (const tensor of [reshaped, clone, variable]) {
      expect(tensor.min().dataSync()[0]).toBe(3);
      expect(tensor.max().dataSync()[0]).toBe(3);
      tensor.dispose();
    }
  });

  it('keeps a whole slice and a merged transpose, which share the buffer, after their source is gone', () => {
    const source = tf.fill([1, ...SHAPE], 4);
    const slice = source.slice([0, 0, 0], [-1, -1, -1]);
    const transposed = source.transpose([1, 0, 2]);
    source.dispose();
    churn(9);
    for (const tensor of [slice, transposed]) {
      expect(tensor.sum().dataSync()[0]).toBe(4 * 96 * 128);
      tensor.dispose();
    }
  });

  it('leaves arrays that the caller passed in alone', () => {
    const mine = new Float32Array(96 * 128).fill(5);
    tf.tensor(mine, [96, 128]).dispose();
    churn(9);
    expect(mine.every((value) => value === 5)).toBe(true);
  });

  it('takes tensors over from another backend and hands them back', async () => {
    await tf.setBackend('cpu');
    const x = random([37, 41], 1);
    const expected = x.square().sum(0).arraySync();
    await tf.setBackend('native');
    const onNative = x.square();
    const actual = onNative.sum(0).arraySync() as number[];
    expect(largestError(expected as number[], actual)).toBeLessThan(1e-5);
    await tf.setBackend('cpu');
    expect(onNative.min().dataSync()[0]).toBeGreaterThanOrEqual(0);
    await tf.setBackend('native');
    tf.dispose([x, onNative]);
  });

  it('leaks neither tensors nor data', () => {
    const step = () =>
      tf.tidy(() => {
        const x = random([64, 96], 2);
        const gradient = tf.grad((v: tf.Tensor) => v.matMul(v, false, true).softmax().mul(2).sum([0, 1]))(x);
        const parts = tf.split(gradient, 3, 1);
        return tf.concat(parts, 0).max([0, 1]).dataSync()[0];
      });
    step();
    const tensors = tf.memory().numTensors;
    const records = backend().numDataIds();
    for (let i = 0; i < 20; i++) step();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(backend().numDataIds()).toBe(records);
  });

  it('computes the same gradients as cpu through a composed expression', async () => {
    const compute = () => {
      const [x, w, b, c] = [random([37, 29], 1), random([45, 29], 2), random([45], 3), random([37, 45], 4)];
      const f = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => {
        const h = tf.matMul(x, w, false, true).add(b);
        const gated = h.mul(h.sigmoid()).softplus();
        const scaled = gated.mul(gated.square().mean(-1, true).add(1e-5).rsqrt());
        const [left, right] = tf.split(scaled, [20, 25], 1);
        const clipped = tf.concat([left.clipByValue(0.2, 1.5), right.tanh()], 1);
        const picked = clipped.gather(tf.tensor1d([3, 3, 36, 0], 'int32'));
        return clipped
          .softmax()
          .mul(c)
          .sum([0, 1])
          .add(picked.cumsum(1).exp().mean([0, 1]).log()) as tf.Scalar;
      };
      return tf.grads(f as (...xs: tf.Tensor[]) => tf.Tensor)([x, w, b, c]);
    };
    const expected = await runOn('cpu', compute);
    const actual = await runOn('native', compute);
    expected.forEach(({ shape, values }, i) => {
      expect(actual[i].shape).toEqual(shape);
      expect(largestError(values, actual[i].values)).toBeLessThan(2e-5);
    });
  });

  it('prints nothing of its own when it starts', () => {
    expect((backend() as unknown as { firstUse: boolean }).firstUse).toBe(false);
  });
});
