/** Bars along one side of a map: what one row reads, or what rows and columns hold on average. */

/** Values [from, to) joined to at most `most` bars, each the value of largest magnitude it stands for. */
export function joined(values: ArrayLike<number>, from: number, to: number, most: number): Float32Array {
  const count = Math.max(1, Math.min(to - from, Math.floor(most)));
  const out = new Float32Array(count);
  for (let bar = 0; bar < count; bar++) {
    const first = from + Math.floor((bar * (to - from)) / count);
    const end = Math.max(first + 1, from + Math.floor(((bar + 1) * (to - from)) / count));
    let best = 0;
    for (let k = first; k < end; k++) if (Math.abs(values[k]) > Math.abs(best)) best = values[k];
    out[bar] = best;
  }
  return out;
}

export interface Bars {
  readonly path: string;
  /** Distance of the zero line from the top (or from the left, for upright bars). */
  readonly zero: number;
}

/** Baseline of the caption of a profile: half-way up, which is the zero line of a signed one and clear of the map below. */
export const profileCaption = (thickness: number): number => (thickness + 2) / 2 + 3.5;

/**
 * SVG path of bars that fill `length` × `thickness` from the zero line, on a scale that ends at ±peak (or 0 … peak).
 * `across`: bars lie along x and grow up; else they lie along y and grow to the right.
 */
export function bars(
  values: ArrayLike<number>,
  length: number,
  thickness: number,
  peak: number,
  signed: boolean,
  across = true,
): Bars {
  const zero = signed ? (thickness + 2) / 2 : across ? thickness - 2 : 0;
  const reach = signed ? (thickness - 6) / 2 : thickness - 6;
  const pitch = length / values.length;
  const width = Math.max(pitch - 1, Math.min(pitch, 0.8));
  const w = width.toFixed(2);
  let path = '';
  for (let k = 0; k < values.length; k++) {
    const amount = peak > 0 ? Math.max(-1, Math.min(1, values[k] / peak)) : 0;
    if (Math.abs(amount) * reach < 0.05) continue;
    const at = (k * pitch + (pitch - width) / 2).toFixed(2);
    if (across) path += `M${at},${zero}V${(zero - amount * reach).toFixed(1)}h${w}V${zero}z`;
    else path += `M${zero},${at}H${(zero + amount * reach).toFixed(1)}v${w}H${zero}z`;
  }
  return { path, zero };
}
