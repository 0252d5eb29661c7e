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

/**
 * The mean of seeds' means. Each resample draws seeds, and of each the examples, both with replacement: the interval covers other
 * examples and, where there are several seeds, other trainings. Cost: resamples · values.
 * @param seeds the values of each seed's examples; empty ones are left out
 */
export function estimated(
  seeds: readonly (readonly number[])[],
  { random, resamples = RESAMPLES }: Resampling,
): Estimated | null {
  const given = seeds.filter((values) => values.length > 0);
  if (given.length === 0) return null;
  const n = given.reduce((sum, { length }) => sum + length, 0);
  const mean = meanOf(given.map(meanOf));
  if (n === 1) return { mean, low: null, high: null, n, seeds: 1 };
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let s = 0; s < given.length; s++) {
      const values = given.length > 1 ? given[random.integer(0, given.length - 1)] : given[0];
      let own = 0;
      for (let i = 0; i < values.length; i++) own += values[random.integer(0, values.length - 1)];
      sum += own / values.length;
    }
    return sum / given.length;
  }).sort();
  const tail = (1 - LEVEL) / 2;
  return { mean, low: quantile(means, tail), high: quantile(means, 1 - tail), n, seeds: given.length };
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
