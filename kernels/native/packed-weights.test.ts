import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADD_ON, needs } from '@/testing/needs';
import { fromHalves, roundToBfloat16 } from '../ops';
import { float16Of, float16Value } from '../reference/float16';
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

  /** Uses after which every matrix is packed. */
  const OFTEN = 12;

  it('are packed when they come back, give the same bits, and are forgotten when the weight changes', () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const before = backend.packed.heldBytes;
    const plain = product(x, w);
    for (let use = 1; use < 3; use++) expect(product(x, w)).toEqual(plain);
    expect(backend.packed.heldBytes).toBe(before);
    for (let use = 3; use < OFTEN; use++) expect(product(x, w)).toEqual(plain);
    expect(backend.packed.heldBytes).toBe(before + 4 * 64 * K);
    tf.tidy(() => w.assign(w.mul(2)));
    expect(backend.packed.heldBytes).toBe(before);
    for (let use = 0; use < OFTEN; use++) expect(product(x, w)).toEqual(plain.map((value) => 2 * value));
    w.dispose();
    expect(backend.packed.heldBytes).toBe(before);
    x.dispose();
  });

  it('stay as they are for many rows, which outweigh the packing', () => {
    const { N, K } = SIZES;
    const x = random([129, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const before = backend.packed.heldBytes;
    for (let use = 0; use < OFTEN; use++) product(x, w);
    expect(backend.packed.heldBytes).toBe(before);
    tf.dispose([x, w]);
  });

  it('are packed a few in each pass over many, so that no pass waits for all', () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const weights = Array.from({ length: 16 }, (_, i) => tf.tidy(() => tf.variable(random([N, K], i))));
    const before = backend.packed.heldBytes;
    const one = 4 * 64 * K;
    const held = Array.from({ length: OFTEN }, () => {
      for (const w of weights) product(x, w);
      return (backend.packed.heldBytes - before) / one;
    });
    expect(held.at(-1)).toBe(16);
    const packed = held.map((count, pass) => count - (held[pass - 1] ?? 0));
    expect(Math.max(...packed)).toBe(2);
    tf.dispose([x, ...weights]);
  });

  it('are read again after somebody could have written to them', () => {
    const { N, K } = SIZES;
    const x = random([20, K], 1);
    const w = tf.tidy(() => tf.variable(random([N, K], 2)));
    const plain = Array.from({ length: OFTEN }, () => product(x, w)).at(-1) as number[];
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
      for (let use = 0; use < OFTEN; use++) {
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
    expect(Array.from({ length: OFTEN }, ask)).toEqual(Array(OFTEN).fill(null));
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

  it.each([1, 2, 3, 4, 7, 8, 9, 33])('are read as float16 by a product of %i rows as by one of floats', (M) => {
    const { N, K } = SIZES;
    const x = random([M, K], 1);
    const bits = Uint16Array.from(random([N, K], 2).dataSync(), (value) => float16Of(value));
    const halves = tf.tidy(() => tf.variable(fromHalves(bits, [N, K], 'float16')));
    const floats = tf.tensor(Float32Array.from(bits, float16Value), [N, K]);
    for (const isa of ['generic', 'avx2', initial.isa]) {
      configureNative({ isa });
      expect(halves.dataSync()).toEqual(floats.dataSync());
      expect(largestError(product(x, floats), product(x, halves))).toBeLessThan(1e-6);
    }
    tf.dispose([x, halves, floats]);
  });

  it('are widened from every float16 there is, subnormals and infinities included', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const isa of ['generic', 'avx2', initial.isa]) {
      configureNative({ isa });
      const halves = fromHalves(bits, [256, 256], 'float16');
      const rows = tf.tidy(() => tf.gather(halves, tf.range(0, 256, 1, 'int32')));
      for (const values of [halves.dataSync(), rows.dataSync()])
        for (let i = 0; i < 65536; i++)
          if (!Object.is(values[i], float16Value(i))) expect(values[i], `bits ${i} on ${isa}`).toBe(float16Value(i));
      tf.dispose([halves, rows]);
    }
  });

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
