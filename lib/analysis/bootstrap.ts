import { RESAMPLES } from '@/lib/vocabulary';

/** Where resamples come from: whole numbers in [from, to], each equally likely. A seeded source makes results repeatable. */
export interface DrawSource {
  integer(from: number, to: number): number;
}

export interface Resampling {
  readonly random: DrawSource;
  /** A second one, for training seeds: models with the same examples draw the same ones however many seeds each has. */
  readonly seeds?: DrawSource;
  /** Default 2000. */
  readonly resamples?: number;
  /** Coverage of the interval; default 0.95. */
  readonly level?: number;
}

/** A mean with its uncertainty; every number is NaN where no value is finite. */
export interface Estimate {
  readonly mean: number;
  /** Sample standard deviation (n − 1) / √n; NaN for one value. Of several training seeds that of the resampled means. */
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

/** One value per example for each series, of every training seed of a model: all over the same examples, in the same order. */
export type BySeed = readonly (readonly Float64Array[])[];

/**
 * Means of several series over the same examples, with percentile bootstrap intervals (Efron). Each resample draws the
 * examples once, with replacement, for all series, so that they stay paired. Values that are not finite are left out of
 * their series. Cost: resamples · examples · series additions.
 * @param series each of one value per example
 */
export const bootstrapMeans = (series: readonly Float64Array[], options: Resampling): Estimate[] =>
  seededMeans([series], options);

/**
 * The same of several training seeds of one model: the mean over seeds and examples. Each resample draws the seeds anew, then
 * the examples, the same for every seed that was drawn, so that the intervals cover both. An example that is not finite in one
 * seed is left out. Cost: that of {@link bootstrapMeans} a seed.
 */
export const seededMeans = (seeds: BySeed, options: Resampling): Estimate[] =>
  resampled([{ sign: 1, seeds }], options).map(({ p: _p, ...estimate }) => estimate);

/**
 * Paired bootstrap of the mean differences b − a, example by example; pairs with a value that is not finite are left out.
 * @param a,b series over the same examples in the same order
 */
export const pairedDifferences = (
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  options: Resampling,
): Difference[] => seededDifferences([a], [b], options);

/** The same of models with several training seeds, which each resample draws anew, those of a and b apart. */
export const seededDifferences = (a: BySeed, b: BySeed, options: Resampling): Difference[] =>
  resampled(
    [
      { sign: 1, seeds: b },
      { sign: -1, seeds: a },
    ],
    options,
  );

/**
 * Ratios of sums over the same examples, Σ above / Σ below, never means of ratios: an example counts by what it is divided by. Resamples, and what is
 * left out, as those of {@link seededMeans}; the standard error is that of the resampled ratios. NaN where the sum below is 0.
 */
export function seededRatios(
  above: BySeed,
  below: BySeed,
  { random, seeds: other, resamples = RESAMPLES, level = LEVEL }: Resampling,
): Estimate[] {
  const series = above[0].length;
  const n = above[0][0]?.length ?? 0;
  if (above.length > 1 && !other)
    throw new Error('Training seeds are drawn from a source of their own: give Resampling.seeds.');
  const present = Array.from({ length: series }, (_, k) =>
    Array.from({ length: n }, (_, i) => [...above, ...below].every((own) => Number.isFinite(own[k][i]))),
  );
  const ratioOf = (chosen: readonly number[], k: number, drawn: ArrayLike<number>) => {
    let [over, under] = [0, 0];
    for (const seed of chosen)
      for (let d = 0; d < drawn.length; d++) {
        const i = drawn[d];
        if (!present[k][i]) continue;
        over += above[seed][k][i];
        under += below[seed][k][i];
      }
    return under === 0 ? Number.NaN : over / under;
  };
  const [everySeed, everyExample] = [above.map((_, seed) => seed), Array.from({ length: n }, (_, i) => i)];
  const ratios = Array.from({ length: series }, () => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    const drawn = everyExample.map(() => random.integer(0, n - 1));
    const chosen = other && above.length > 1 ? everySeed.map(() => other.integer(0, above.length - 1)) : everySeed;
    for (let k = 0; k < series; k++) ratios[k][r] = ratioOf(chosen, k, drawn);
  }
  return ratios.map((resampledRatios, k) => {
    const sorted = resampledRatios.filter(Number.isFinite).sort();
    const tail = (1 - level) / 2;
    return {
      mean: ratioOf(everySeed, k, everyExample),
      stderr: deviationOf(sorted),
      low: quantile(sorted, tail),
      high: quantile(sorted, 1 - tail),
      n: present[k].filter(Boolean).length,
    };
  });
}

interface Term {
  readonly sign: 1 | -1;
  readonly seeds: BySeed;
}

/** Bootstrap of the mean over examples of a sum of terms, each a mean over its seeds. */
function resampled(
  terms: readonly Term[],
  { random, seeds: other, resamples = RESAMPLES, level = LEVEL }: Resampling,
): Difference[] {
  const series = terms[0].seeds[0].length;
  const n = terms[0].seeds[0][0]?.length ?? 0;
  const present = Array.from({ length: series }, (_, k) =>
    Float64Array.from({ length: n }, (_, i) =>
      terms.every(({ seeds }) => seeds.every((own) => Number.isFinite(own[k][i]))) ? 1 : 0,
    ),
  );
  const finite = terms.map(({ sign, seeds }) => ({
    sign,
    seeds: seeds.map((own) => own.map((values, k) => values.map((value, i) => (present[k][i] === 1 ? value : 0)))),
  }));
  const whole = Array.from({ length: series }, (_, k) =>
    Float64Array.from({ length: n }, (_, i) =>
      present[k][i] === 0
        ? Number.NaN
        : finite.reduce(
            (sum, { sign, seeds }) => sum + (sign * seeds.reduce((all, own) => all + own[k][i], 0)) / seeds.length,
            0,
          ),
    ),
  );
  const several = terms.some(({ seeds }) => seeds.length > 1);
  if (several && !other) throw new Error('Training seeds are drawn from a source of their own: give Resampling.seeds.');
  // Without seeds to draw, what is resampled is one number an example.
  const summed: readonly Term[] = several
    ? finite
    : [{ sign: 1, seeds: [whole.map((values) => values.map((value) => (Number.isNaN(value) ? 0 : value)))] }];
  const means = whole.map(() => new Float64Array(resamples));
  const drawn = new Int32Array(n);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) drawn[i] = random.integer(0, n - 1);
    const chosen = summed.map(({ sign, seeds }) => ({
      sign,
      seeds: seeds.map((own) => (other && seeds.length > 1 ? seeds[other.integer(0, seeds.length - 1)] : own)),
    }));
    for (let k = 0; k < series; k++) means[k][r] = meanOf(chosen, k, present[k], drawn);
  }
  return whole.map((values, k) => estimateOf(values, means[k], level, several));
}

function meanOf(terms: readonly Term[], k: number, present: Float64Array, drawn: Int32Array): number {
  let count = 0;
  for (let i = 0; i < drawn.length; i++) count += present[drawn[i]];
  let mean = 0;
  for (const { sign, seeds } of terms) {
    let sum = 0;
    for (const own of seeds) for (let i = 0; i < drawn.length; i++) sum += own[k][drawn[i]];
    mean += (sign * sum) / seeds.length;
  }
  return mean / count;
}

function estimateOf(values: Float64Array, resampledMeans: Float64Array, level: number, several: boolean): Difference {
  const finite = values.filter(Number.isFinite);
  const n = finite.length;
  const mean = finite.reduce((sum, value) => sum + value, 0) / n;
  // Resamples may miss the few finite values of a series altogether.
  const sorted = resampledMeans.filter(Number.isFinite).sort();
  const tail = (1 - level) / 2;
  const below = sorted.filter((value) => value <= 0).length;
  const above = sorted.filter((value) => value >= 0).length;
  return {
    mean,
    stderr: several ? deviationOf(sorted) : deviationOf(finite) / Math.sqrt(n),
    low: quantile(sorted, tail),
    high: quantile(sorted, 1 - tail),
    n,
    p: n === 0 ? Number.NaN : Math.min(1, (2 * (Math.min(below, above) + 1)) / (sorted.length + 1)),
  };
}

/** Sample standard deviation (n − 1); NaN for one value. */
function deviationOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** Linear interpolation between order statistics, as NumPy's default. */
export function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
