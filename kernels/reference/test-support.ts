import { expect } from 'vitest';

/** Reproducible numbers for tests: `normal` draws from N(0, scale²), `uniform` from [low, high). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  uniform(size: number, low: number, high: number): Float64Array {
    return Float64Array.from({ length: size }, () => low + (high - low) * this.next());
  }

  normal(size: number, scale = 1): Float64Array {
    return Float64Array.from({ length: size }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
      return scale * radius * Math.cos(2 * Math.PI * this.next());
    });
  }
}

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

/** Largest |actual − expected| as a share of the largest |expected|; infinite where a value is not finite. */
export function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(actual[i])) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(expected[i]));
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
  }
  return worst / Math.max(largest, 1e-30);
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
