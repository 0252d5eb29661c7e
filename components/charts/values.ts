import { quickselect } from 'd3';

/** How map values become positions on a colour ramp. Maps are row-major [L, L], entry (i, j): source j read by i ≥ j. */
export type ValueMode = 'linear' | 'log' | 'row';

export interface ValueScale {
  /** Position on the ramp, 0 … 1; for signed scales 0.5 is exactly zero and t(−v) = 1 − t(v). */
  readonly position: (value: number) => number;
  /** |value| at which the colour saturates. */
  readonly limit: number;
  readonly signed: boolean;
  readonly mode: ValueMode;
}

/** Below this fraction of the limit the logarithmic scale becomes linear. */
const LOG_FLOOR = 1e-3;

/** A scale that saturates at ±limit (or at limit, unsigned). */
export function valueScale(limit: number, signed: boolean, mode: ValueMode): ValueScale {
  const top = limit > 0 ? limit : 1;
  const knee = top * LOG_FLOOR;
  const whole = Math.log1p(top / knee);
  const amount =
    mode === 'log'
      ? (v: number) => Math.min(1, Math.log1p(Math.abs(v) / knee) / whole)
      : (v: number) => Math.min(1, Math.abs(v) / top);
  const position = signed
    ? (v: number) => 0.5 + 0.5 * Math.sign(v) * amount(v)
    : (v: number) => (v < 0 ? 0 : amount(v));
  return { position, limit: top, signed, mode };
}

/** Values to mark on a legend: five, three where unsigned and linear. */
export function legendTicks({ limit, signed, mode }: ValueScale): number[] {
  if (mode === 'log') return (signed ? [-1, -0.01, 0, 0.01, 1] : [0, 0.01, 0.1, 1]).map((t) => t * limit);
  return (signed ? [-1, -0.5, 0, 0.5, 1] : [0, 0.5, 1]).map((t) => t * limit);
}

/**
 * The 99.8th percentile of |value| over the causal, non-zero entries of all maps together: where the shared
 * scale saturates. 1 when there is nothing to scale. Cost: one pass and a selection.
 */
export function saturation(maps: readonly Float32Array[], quantile = 0.998): number {
  const magnitudes = new Float32Array(maps.reduce((sum, map) => sum + map.length, 0));
  let count = 0;
  for (const map of maps)
    for (let k = 0; k < map.length; k++) {
      const value = Math.abs(map[k]);
      if (value > 0 && value < Number.POSITIVE_INFINITY) magnitudes[count++] = value;
    }
  if (count === 0) return 1;
  const at = Math.min(count - 1, Math.floor(count * quantile));
  const values = magnitudes.subarray(0, count);
  quickselect(values as unknown as ArrayLike<number>, at);
  return values[at];
}

/** Whether any value exceeds the limit, so that the legend's ends need an arrow. */
export function exceeds(maps: readonly Float32Array[], limit: number): boolean {
  return maps.some((map) => map.some((value) => Math.abs(value) > limit));
}

/** Every row divided by its Σ|value|: the share of what position i reads. Zero rows stay zero. */
export function rowShares(map: Float32Array, L: number): Float32Array {
  const shares = new Float32Array(map.length);
  for (let i = 0; i < L; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += Math.abs(map[i * L + j]);
    if (sum > 0) for (let j = 0; j <= i; j++) shares[i * L + j] = map[i * L + j] / sum;
  }
  return shares;
}
