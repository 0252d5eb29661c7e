import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { roundToBfloat16 } from '../ops';
import { configureNative, isAvailable, nativeInfo } from './addon';
import type { NativeBackend } from './backend';
import { PackedWeights } from './packed-weights';
import { registerNative } from './register';
import { largestError, random, runOn } from './test-support';

const SIZES = { N: 50, K: 37 };

describe('weights in other forms', needs(isAvailable, ADD_ON), () => {
  let backend: NativeBackend;
  const initial = isAvailable ? nativeInfo() : { isa: '', threads: 1 };

  beforeAll(async () => {
    registerNative();
    await tf.setBackend('native');
    backend = tf.backend() as unknown as NativeBackend;
  });
  afterAll(() => {
    configureNative(initial);
  });

  const product = (x: tf.Tensor, w: tf.Tensor, transposed = true) =>
    tf.tidy(() => Array.from(tf.matMul(x, w, false, transposed).dataSync()));

  it('are packed at the second use, give the same bits, and are forgotten when the weight changes', () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const before = backend.packed.heldBytes;
    const plain = product(x, w);
    expect(backend.packed.heldBytes).toBe(before);
    expect(product(x, w)).toEqual(plain);
    expect(product(x, w)).toEqual(plain);
    expect(backend.packed.heldBytes).toBe(before + 4 * 64 * K);
    tf.tidy(() => w.assign(w.mul(2)));
    expect(backend.packed.heldBytes).toBe(before);
    for (let use = 0; use < 3; use++) expect(product(x, w)).toEqual(plain.map((value) => 2 * value));
    w.dispose();
    expect(backend.packed.heldBytes).toBe(before);
    x.dispose();
  });

  it('stay as they are for many rows, which outweigh the packing', () => {
    const { N, K } = SIZES;
    const x = random([129, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const before = backend.packed.heldBytes;
    for (let use = 0; use < 3; use++) product(x, w);
    expect(backend.packed.heldBytes).toBe(before);
    tf.dispose([x, w]);
  });

  it('are read again after somebody could have written to them', () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const plain = [0, 1, 2].map(() => product(x, w))[2];
    const values = w.dataSync();
    values.forEach((value, i) => {
      values[i] = -value;
    });
    expect(product(x, w)).toEqual(plain.map((value) => -value));
    tf.dispose([x, w]);
  });

  it('are packed anew where the instruction set changes, and both ways round', async () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const turned = tf.variable(tf.transpose(w));
    const [expected] = await runOn('cpu', () => tf.matMul(x, w, false, true));
    await tf.setBackend('native');
    for (const isa of ['generic', initial.isa, 'generic']) {
      configureNative({ isa });
      for (let use = 0; use < 3; use++) {
        expect(largestError(expected.values, product(x, w))).toBeLessThan(1e-5);
        expect(largestError(expected.values, product(x, turned, false))).toBeLessThan(1e-5);
      }
    }
    configureNative(initial);
    tf.dispose([x, w, turned]);
  });

  it('stay unpacked beyond the budget', () => {
    const small = new PackedWeights(100);
    const owner = {};
    const ask = () => small.panelsOf(owner, { N: 8, K: 8, rowStride: 1, columnStride: 8 }, () => new Float32Array(64));
    expect([ask(), ask(), ask()]).toEqual([null, null, null]);
    expect(small.heldBytes).toBe(0);
  });

  it.each([1, 2, 3, 4, 7, 8, 9, 33])(
    'are read as bfloat16 by a product of %i rows as by one of rounded floats',
    (M) => {
      const { N, K } = SIZES;
      const x = random([M, K], 1);
      const halves = tf.tidy(() => tf.variable(roundToBfloat16(random([N, K], 2))));
      const floats = tf.tensor(halves.dataSync().slice(), [N, K]);
      for (const isa of ['generic', initial.isa]) {
        configureNative({ isa });
        expect(largestError(product(x, floats), product(x, halves))).toBeLessThan(1e-6);
      }
      const turned = random([M, N], 3);
      expect(product(turned, halves, false)).toEqual(product(turned, floats, false));
      tf.dispose([x, halves, floats, turned]);
    },
  );

  it('are rounded to the nearest bfloat16, ties to even, on every device alike', async () => {
    const given = [
      1,
      1 + 2 ** -8,
      1 + 2 ** -7,
      1 + 3 * 2 ** -8,
      1 + 2 ** -8 + 2 ** -20,
      -3.14159274,
      1e38,
      NaN,
      Infinity,
      0,
    ];
    const expected = [1, 1, 1 + 2 ** -7, 1 + 2 ** -6, 1 + 2 ** -7, -3.140625, NaN, NaN, Infinity, 0];
    for (const device of ['cpu', 'native']) {
      const [{ values }] = await runOn(device, () => roundToBfloat16(tf.tensor1d(given)));
      const rows = tf.tidy(() => tf.gather(roundToBfloat16(tf.tensor2d(given, [5, 2])), tf.tensor1d([4, 0], 'int32')));
      expect(Array.from(rows.dataSync())).toEqual([values[8], values[9], values[0], values[1]]);
      rows.dispose();
      values.forEach((value, i) => {
        if (i !== 6) expect(value, `${given[i]} on ${device}`).toBe(expected[i]);
      });
      expect(Math.abs(values[6] / 1e38 - 1)).toBeLessThan(2 ** -8);
    }
    await tf.setBackend('native');
  });
});
