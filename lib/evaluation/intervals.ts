import type { Resampling } from '@/lib/analysis';
import { quantile } from '@/lib/analysis/bootstrap';
import { Random } from '@/lib/random';
import { RESAMPLES } from '@/lib/vocabulary';

/** A mean over examples with its percentile bootstrap interval of 95 %; null where there is nothing to take a mean of. */
export interface Estimated {
  readonly mean: number;
  /** Null for one example of one seed, which says nothing about others. */
  readonly low: number | null;
  readonly high: number | null;
  /** Examples of all seeds. */
  readonly n: number;
  readonly seeds: number;
}

const LEVEL = 0.95;

/** Draws that depend on nothing but the seed, so that a summary is the same however its results came together. */
export const resamplingOf = (
  seed: number,
  resamples = RESAMPLES,
): Required<Pick<Resampling, 'random' | 'resamples'>> => ({
  random: new Random(seed),
  resamples,
});

/** What one example adds to a mean. */
export interface Part {
  readonly sum: number;
  /** Of what the mean is taken. */
  readonly count: number;
}

/**
 * The mean of seeds' ratios Σ sum / Σ count. Each resample draws seeds, and of each the examples, both with replacement: the interval
 * covers other examples and, where there are several seeds, other trainings. Cost: resamples · examples.
 * @param seeds each seed's examples; seeds without any are left out
 */
export function estimatedRatio(
  seeds: readonly (readonly Part[])[],
  { random, resamples = RESAMPLES }: Resampling,
): Estimated | null {
  const given = seeds.filter((parts) => parts.length > 0);
  if (given.length === 0) return null;
  const n = given.reduce((sum, { length }) => sum + length, 0);
  const mean = given.reduce((sum, parts) => sum + ratioOf(parts, (i) => i), 0) / given.length;
  if (n === 1) return { mean, low: null, high: null, n, seeds: 1 };
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let s = 0; s < given.length; s++) {
      const parts = given.length > 1 ? given[random.integer(0, given.length - 1)] : given[0];
      sum += ratioOf(parts, () => random.integer(0, parts.length - 1));
    }
    return sum / given.length;
  }).sort();
  const tail = (1 - LEVEL) / 2;
  return { mean, low: quantile(means, tail), high: quantile(means, 1 - tail), n, seeds: given.length };
}

function ratioOf(parts: readonly Part[], draw: (i: number) => number): number {
  let [sum, count] = [0, 0];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[draw(i)];
    sum += part.sum;
    count += part.count;
  }
  return sum / count;
}

/** The same of one value an example. */
export const estimated = (seeds: readonly (readonly number[])[], resampling: Resampling): Estimated | null =>
  estimatedRatio(
    seeds.map((values) => values.map((sum) => ({ sum, count: 1 }))),
    resampling,
  );

/** An estimate in another unit; the map must grow with the value. */
export const mapped = (estimate: Estimated | null, by: (value: number) => number): Estimated | null =>
  estimate && {
    ...estimate,
    mean: by(estimate.mean),
    low: estimate.low === null ? null : by(estimate.low),
    high: estimate.high === null ? null : by(estimate.high),
  };
