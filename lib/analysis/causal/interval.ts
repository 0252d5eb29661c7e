import { generator } from './random';

/** A mean with its percentile bootstrap 95 % interval. */
export interface Estimate {
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;

/**
 * Mean of the values and the middle 95 % of the means of 2,000 resamples with replacement; values that are not finite are
 * left out, and n says how many there are. NaN without any. Equal seeds give equal intervals.
 */
export function estimateOf(values: readonly number[], seed = 0): Estimate {
  const finite = values.filter(Number.isFinite);
  const n = finite.length;
  if (n === 0) return { n, mean: Number.NaN, low: Number.NaN, high: Number.NaN };
  const random = generator(seed);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += finite[Math.floor(random() * n)];
    return sum / n;
  }).sort();
  const at = (share: number) => means[Math.round(share * (RESAMPLES - 1))];
  return { n, mean: finite.reduce((sum, value) => sum + value, 0) / n, low: at(0.025), high: at(0.975) };
}
