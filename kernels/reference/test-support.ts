import { expect } from 'vitest';
import { worstError } from './worst-error';

/** Central differences of the scalar function `f` in every element of `values`, which `f` reads. */
export function finiteDifferences(values: Float64Array, f: () => number, step = 1e-5): Float64Array {
  return values.map((value, i) => {
    values[i] = value + step;
    const up = f();
    values[i] = value - step;
    const down = f();
    values[i] = value;
    return (up - down) / (2 * step);
  });
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Fails unless `actual` is within `tolerance` of `expected`, relative to the largest expected magnitude. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `${what}: number of values`).toBe(expected.length);
  expect(worstError(actual, expected), `${what}: largest error over largest value`).toBeLessThanOrEqual(tolerance);
}
