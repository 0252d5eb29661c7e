import { halfToFloat } from '@/lib/safetensors/dtype';

/**
 * Maps as half-precision numbers: what pictures are drawn from. Half the memory, one look-up a cell to its colour
 * whatever the scale, and integer comparison of magnitudes. Relative error at most 2⁻¹¹; exact values for the
 * inspector and exports stay in the float32 original.
 */
export interface HalfMap {
  readonly L: number;
  /** L × L, row-major, zero above the diagonal: sign, five bits of exponent, ten of mantissa. */
  readonly bits: Uint16Array<ArrayBuffer>;
  /** The value of bits b is `halfToFloat(b) · unit`; a power of two. */
  readonly unit: number;
  /** Largest finite |value|. */
  readonly peak: number;
}

/** Bits of "no value": not causal, or not a number. */
export const NO_VALUE = 0x7e00;
/** Bits without the sign: an order of magnitudes. */
export const MAGNITUDE = 0x7fff;
/** Bits from here on are no finite numbers. */
export const NOT_FINITE = 0x7c00;

const FLOAT_BIAS = 127;
const HALF_BIAS = 15;
/** Half exponent that the largest value gets: one below the last, so that rounding up cannot overflow. */
const TOP_EXPONENT = 29;
const MANTISSA_LOSS = 13;

const rawBits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Largest finite |value| of several arrays. */
export function peakOf(arrays: readonly Float32Array[]): number {
  let most = 0;
  for (const values of arrays)
    for (const word of rawBits(values)) {
      const magnitude = word & 0x7fffffff;
      if (magnitude > most && magnitude < 0x7f800000) most = magnitude;
    }
  return new Float32Array(Uint32Array.of(most).buffer)[0];
}

/**
 * The causal part of a map [L, L] in half precision. Maps that share one `peak` share one unit. Values below
 * 2⁻²⁸ of the peak become zero. Cost: one pass over the causal cells.
 */
export function toHalf(map: Float32Array, L: number, peak = peakOf([map])): HalfMap {
  const bits = new Uint16Array(L * L);
  const words = rawBits(map);
  const peakWord = new Uint32Array(Float32Array.of(peak).buffer)[0];
  const peakExponent = Math.max(peakWord >>> 23, TOP_EXPONENT + 1);
  const offset = ((peakExponent - TOP_EXPONENT) << 23) - (1 << (MANTISSA_LOSS - 1));
  for (let i = 0; i < L; i++)
    for (let k = i * L; k <= i * L + i; k++) {
      const word = words[k];
      const magnitude = word & 0x7fffffff;
      if (magnitude > peakWord) {
        bits[k] = NO_VALUE;
        continue;
      }
      const half = (magnitude - offset) >> MANTISSA_LOSS;
      bits[k] = half < 1024 ? 0 : half | ((word >>> 16) & 0x8000);
    }
  return { L, bits, unit: 2 ** (peakExponent - FLOAT_BIAS - TOP_EXPONENT + HALF_BIAS), peak };
}

const BINS = NOT_FINITE;
const counts = new Uint32Array(BINS);

/**
 * The given quantile of |value| over the causal, non-zero entries of all maps together. 1 when there is nothing.
 * Cost: one pass that counts magnitudes.
 */
export function quantileOf(maps: readonly HalfMap[], quantile: number): number {
  const unit = Math.max(0, ...maps.map((map) => map.unit));
  counts.fill(0);
  let total = 0;
  for (const { L, bits, unit: own } of maps) {
    const shift = Math.round(Math.log2(unit / own)) << 10;
    for (let i = 0; i < L; i++)
      for (let k = i * L; k <= i * L + i; k++) {
        const magnitude = bits[k] & MAGNITUDE;
        if (magnitude === 0 || magnitude >= NOT_FINITE) continue;
        counts[Math.max(1, magnitude - shift)]++;
        total++;
      }
  }
  if (total === 0) return 1;
  const rank = Math.min(total - 1, Math.floor(total * quantile));
  let bin = 0;
  for (let seen = counts[0]; seen <= rank; ) seen += counts[++bin];
  return halfToFloat(bin) * unit;
}
