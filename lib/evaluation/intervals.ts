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
 * A statistic of each seed's examples, averaged over the seeds. Each resample draws seeds, and of each the examples, both with
 * replacement: the interval covers other examples and, where there are several seeds, other trainings. Cost: `resamples` statistics of
 * every seed.
 * @param seeds each seed's examples; seeds without any are left out
 */
export function resampledStatistic<T>(
  seeds: readonly (readonly T[])[],
  statistic: (examples: readonly T[]) => number,
  { random, resamples = RESAMPLES }: Resampling,
): Estimated | null {
  const given = seeds.filter((examples) => examples.length > 0);
  if (given.length === 0) return null;
  const n = given.reduce((sum, { length }) => sum + length, 0);
  const mean = given.reduce((sum, examples) => sum + statistic(examples), 0) / given.length;
  if (n === 1) return { mean, low: null, high: null, n, seeds: 1 };
  const draw = <U>(from: readonly U[]): U[] => from.map(() => from[random.integer(0, from.length - 1)]);
  const means = Float64Array.from({ length: resamples }, () => {
    const drawn = given.length > 1 ? draw(given) : given;
    return drawn.reduce((sum, examples) => sum + statistic(draw(examples)), 0) / given.length;
  }).sort();
  const tail = (1 - LEVEL) / 2;
  return { mean, low: quantile(means, tail), high: quantile(means, 1 - tail), n, seeds: given.length };
}

/** The ratio Σ sum / Σ count of each seed's examples, averaged over the seeds. */
export const estimatedRatio = (seeds: readonly (readonly Part[])[], resampling: Resampling): Estimated | null =>
  resampledStatistic(seeds, ratioOf, resampling);

function ratioOf(parts: readonly Part[]): number {
  let [sum, count] = [0, 0];
  for (const part of parts) {
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

/**
 * How many times the mean of one model is that of another, each resampled by itself; null where a mean is 0. Resamples in which the
 * denominator is 0 count as infinite, so that the upper end may be open.
 * @param top,bottom values of each seed's examples
 */
export function ratioOfMeans(
  top: readonly (readonly number[])[],
  bottom: readonly (readonly number[])[],
  { random, resamples = RESAMPLES }: Resampling,
): Estimated | null {
  const [a, b] = [top, bottom].map((seeds) => seeds.filter((values) => values.length > 0));
  if (a.length === 0 || b.length === 0) return null;
  const overSeeds = (seeds: readonly (readonly number[])[]) =>
    seeds.reduce((sum, values) => sum + meanOf(values), 0) / seeds.length;
  const mean = overSeeds(a) / overSeeds(b);
  if (!(mean > 0 && mean < Number.POSITIVE_INFINITY)) return null;
  const draw = <U>(from: readonly U[]): U[] => from.map(() => from[random.integer(0, from.length - 1)]);
  const again = (seeds: readonly (readonly number[])[]) =>
    overSeeds((seeds.length > 1 ? draw(seeds) : seeds).map(draw));
  const ratios = Float64Array.from({ length: resamples }, () => again(a) / again(b))
    .filter((ratio) => !Number.isNaN(ratio))
    .sort();
  const end = (share: number) => {
    const value = quantile(ratios, share);
    return Number.isFinite(value) ? value : null;
  };
  const tail = (1 - LEVEL) / 2;
  const n = a.reduce((sum, { length }) => sum + length, 0);
  return { mean, low: end(tail), high: end(1 - tail), n, seeds: a.length };
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
