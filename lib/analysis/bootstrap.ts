import { RESAMPLES } from '@/lib/vocabulary';

/** Where resamples come from: whole numbers in [from, to], each equally likely. A seeded source makes results repeatable. */
export interface DrawSource {
  integer(from: number, to: number): number;
}

export interface Resampling {
  readonly random: DrawSource;
  /** Default 2000. */
  readonly resamples?: number;
  /** Coverage of the interval; default 0.95. */
  readonly level?: number;
}

/** A mean with its uncertainty; every number is NaN where no value is finite. */
export interface Estimate {
  readonly mean: number;
  /** Sample standard deviation (n − 1) / √n; NaN for one value. */
  readonly stderr: number;
  /** Percentile bootstrap interval of the mean. */
  readonly low: number;
  readonly high: number;
  /** Finite values. */
  readonly n: number;
}

export interface Difference extends Estimate {
  /** Two-sided: twice the smaller share of resampled means on one side of 0, the observed sample counted with them. */
  readonly p: number;
}

const LEVEL = 0.95;

/**
 * Means of several series over the same examples, with percentile bootstrap intervals (Efron). Each resample draws the
 * examples once, with replacement, for all series, so that they stay paired. Values that are not finite are left out of
 * their series. Cost: resamples · examples · series additions.
 * @param series each of one value per example
 */
export function bootstrapMeans(series: readonly Float64Array[], options: Resampling): Estimate[] {
  return resampled(series, options).map(({ p: _p, ...estimate }) => estimate);
}

/**
 * Paired bootstrap of the mean differences b − a, example by example; pairs with a value that is not finite are left out.
 * @param a,b series over the same examples in the same order
 */
export function pairedDifferences(
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  options: Resampling,
): Difference[] {
  return resampled(
    a.map((values, k) => values.map((value, i) => b[k][i] - value)),
    options,
  );
}

function resampled(
  series: readonly Float64Array[],
  { random, resamples = RESAMPLES, level = LEVEL }: Resampling,
): Difference[] {
  const n = series[0]?.length ?? 0;
  const finite = series.map((values) => values.map((value) => (Number.isFinite(value) ? value : 0)));
  const present = series.map((values) => Float64Array.from(values, (value) => (Number.isFinite(value) ? 1 : 0)));
  const means = series.map(() => new Float64Array(resamples));
  const drawn = new Int32Array(n);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) drawn[i] = random.integer(0, n - 1);
    for (let k = 0; k < series.length; k++) means[k][r] = meanOf(finite[k], present[k], drawn);
  }
  return series.map((values, k) => estimateOf(values, means[k], level));
}

function meanOf(values: Float64Array, present: Float64Array, drawn: Int32Array): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < drawn.length; i++) {
    sum += values[drawn[i]];
    count += present[drawn[i]];
  }
  return sum / count;
}

function estimateOf(values: Float64Array, resampledMeans: Float64Array, level: number): Difference {
  const finite = values.filter(Number.isFinite);
  const n = finite.length;
  const mean = finite.reduce((sum, value) => sum + value, 0) / n;
  const squares = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  // Resamples may miss the few finite values of a series altogether.
  const sorted = resampledMeans.filter(Number.isFinite).sort();
  const tail = (1 - level) / 2;
  const below = sorted.filter((value) => value <= 0).length;
  const above = sorted.filter((value) => value >= 0).length;
  return {
    mean,
    stderr: Math.sqrt(squares / (n - 1) / n),
    low: quantile(sorted, tail),
    high: quantile(sorted, 1 - tail),
    n,
    p: n === 0 ? Number.NaN : Math.min(1, (2 * (Math.min(below, above) + 1)) / (sorted.length + 1)),
  };
}

/** Linear interpolation between order statistics, as NumPy's default. */
export function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
