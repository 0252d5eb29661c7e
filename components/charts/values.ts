import { type HalfMap, quantileOf } from './half';

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

/** Where colours saturate unless the researcher says otherwise: the 99.8th percentile of |value|. */
export const USUAL_CLIP = 0.998;

/** Saturations of the sets of maps that were asked for last: layers and branches between which one goes to and fro. */
const KNOWN_MOST = 64;
const known = new Map<string, number>();
const numbers = new WeakMap<HalfMap, number>();
let count = 0;

function numberOf(map: HalfMap): number {
  const number = numbers.get(map) ?? ++count;
  numbers.set(map, number);
  return number;
}

/**
 * Where the scale of these maps saturates: a quantile of |value| over all of them together. Cost: one pass over the
 * maps, once for each set of them.
 */
export function saturation(maps: readonly HalfMap[], quantile = USUAL_CLIP): number {
  const key = `${maps.map(numberOf).join()} ${quantile}`;
  const value = known.get(key) ?? quantileOf(maps, quantile);
  known.delete(key);
  known.set(key, value);
  if (known.size > KNOWN_MOST) known.delete(known.keys().next().value ?? '');
  return value;
}

/** Whether any value exceeds the limit, so that the legend's ends need an arrow. */
export const exceeds = (maps: readonly HalfMap[], limit: number): boolean =>
  maps.some(({ peak }) => peak > limit * (1 + 2 ** -11));

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
