import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe } from 'vitest';
import { configureNative, nativeInfo, registerNative } from './register';

/** Deterministic numbers in (-1, 1). */
export function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2147483648 - 1;
  });
}

/** A deterministic float32 tensor. */
export function random(shape: number[], seed: number): tf.Tensor {
  return tf.tensor(numbers(tf.util.sizeFromShape(shape), seed), shape);
}

export interface Outcome {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: number[];
}

/** Runs `compute` on a backend and reads what it returns. */
export async function runOn(backend: string, compute: () => tf.Tensor | tf.Tensor[]): Promise<Outcome[]> {
  await tf.setBackend(backend);
  const results = tf.tidy(() => [compute()].flat());
  const outcomes = results.map((result) => ({
    shape: result.shape,
    dtype: result.dtype,
    values: Array.from(result.dataSync()),
  }));
  tf.dispose(results);
  return outcomes;
}

/** Largest difference, relative to 1 + |expected|; NaN must meet NaN and infinities must be equal. */
export function largestError(expected: readonly number[], actual: readonly number[]): number {
  if (expected.length !== actual.length) return Infinity;
  let worst = 0;
  expected.forEach((value, i) => {
    const same = Object.is(value, actual[i]) || value === actual[i];
    const error = same ? 0 : Math.abs(value - actual[i]) / (1 + Math.abs(value));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  });
  return worst;
}

/** The same tests on the native device with every instruction set that this processor has, on one and on two threads. */
export function onEverySetting(tests: () => void): void {
  const initial = nativeInfo();
  const settings = ['avx512', 'avx2', 'generic'].flatMap((isa) => [1, 2].map((threads) => ({ isa, threads })));

  beforeAll(async () => {
    registerNative();
    await tf.setBackend('native');
  });
  afterAll(() => {
    if (initial) configureNative(initial);
  });

  const supported = settings.filter((setting) => {
    try {
      configureNative(setting);
      return true;
    } catch {
      return false;
    }
  });
  describe.each(supported)('$isa, $threads threads', (setting) => {
    beforeAll(() => {
      configureNative(setting);
    });
    tests();
  });
}
