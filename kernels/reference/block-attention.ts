import type { Real } from './real';
import { type S6AttentionInput, s6Attention } from './s6-attention';
import { type SsdAttentionInput, ssdAttention } from './ssd-attention';

/** What is folded around the attention α of each of E channels; row-major, shapes in brackets. */
export interface BlockFold {
  readonly E: number;
  readonly K: number;
  /** [L,E] factor of the token that the scan reads. */
  readonly source: Real;
  /** [E,K] causal convolution, the last tap for the current token. */
  readonly taps: Real;
  /** [L,E] factor of the target. */
  readonly target: Real;
  /** D skip per channel (S6) or head (SSD), added to the diagonal of α. */
  readonly D?: Real;
  /** [L,E] factor of the source, before the convolution. */
  readonly weight?: Real;
}

/** How the maps of the channels become one: Σ_e M_e, Σ_e |M_e| or max_e |M_e|. */
export type BlockReduction = 'sum' | 'sum_abs' | 'max_abs';

/** Sources [first, first + count), the targets from `first` on. */
export interface ColumnRange {
  readonly first: number;
  readonly count: number;
}

/** One scan with its channels: α of channel e, row-major [L,L] without D, and its D. */
interface Channels {
  readonly L: number;
  readonly alpha: (e: number) => Float64Array;
  readonly skip: (e: number) => number;
}

const s6Channels = (scan: S6AttentionInput, { D }: BlockFold): Channels => ({
  L: scan.L,
  alpha: (channel) => s6Attention(scan, { channel }),
  skip: (e) => D?.[e] ?? 0,
});

function ssdChannels(scan: SsdAttentionInput, { E, D }: BlockFold): Channels {
  const heads = new Map<number, Float64Array>();
  const headOf = (e: number) => Math.floor(e / (E / scan.H));
  const alpha = (e: number) => {
    const head = headOf(e);
    const known = heads.get(head) ?? ssdAttention(scan, { head });
    heads.set(head, known);
    return known;
  };
  return { L: scan.L, alpha, skip: (e) => D?.[headOf(e)] ?? 0 };
}

/**
 * The folded map of channel e (equations C2, exact form): for target i and source j ≤ i
 *
 *     M_e[i,j] = target[i,e] weight[j,e] Σ_k taps[e,K−1−k] source[j+k,e] (α_e[i,j+k] + D_e [i = j+k]),  0 ≤ k < K, j+k ≤ i
 */
function foldedMap({ L, alpha, skip }: Channels, fold: BlockFold, e: number): Float64Array {
  const { E, K, source, taps, target, weight } = fold;
  const scan = alpha(e);
  const map = new Float64Array(L * L);
  for (let i = 0; i < L; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < K && j + k <= i; k++) {
        const read = scan[i * L + j + k] + (i === j + k ? skip(e) : 0);
        sum += taps[e * K + K - 1 - k] * source[(j + k) * E + e] * read;
      }
      map[i * L + j] = target[i * E + e] * (weight?.[j * E + e] ?? 1) * sum;
    }
  return map;
}

function reducedMap(channels: Channels, fold: BlockFold, reduction: BlockReduction): Float64Array {
  const { L } = channels;
  const map = new Float64Array(L * L);
  for (let e = 0; e < fold.E; e++)
    foldedMap(channels, fold, e).forEach((value, k) => {
      if (reduction === 'max_abs') map[k] = Math.max(map[k], Math.abs(value));
      else map[k] += reduction === 'sum' ? value : Math.abs(value);
    });
  return map;
}

/** [E, L − first, count] */
function columns(channels: Channels, fold: BlockFold, { first, count }: ColumnRange): Float64Array {
  const { L } = channels;
  const rows = L - first;
  const out = new Float64Array(fold.E * rows * count);
  for (let e = 0; e < fold.E; e++) {
    const map = foldedMap(channels, fold, e);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < count; c++) out[(e * rows + r) * count + c] = map[(first + r) * L + first + c];
  }
  return out;
}

/** Statistics of {@link BlockStatistics} per channel. */
export const STATISTICS_PER_CHANNEL = 5;

/**
 * Per channel, of the magnitudes |M_e[i,j]|, means over the rows that are not zero of: entropy in nats, share of source 0,
 * share of the last `nearest` sources, distance i − j in tokens; and the largest magnitude. [E,5]
 */
function statistics(channels: Channels, fold: BlockFold, nearest: number): Float64Array {
  const { L } = channels;
  const out = new Float64Array(fold.E * STATISTICS_PER_CHANNEL);
  for (let e = 0; e < fold.E; e++) {
    const map = foldedMap(channels, fold, e);
    const sums = out.subarray(e * STATISTICS_PER_CHANNEL, (e + 1) * STATISTICS_PER_CHANNEL);
    let rows = 0;
    for (let i = 0; i < L; i++) {
      const row = map.subarray(i * L, i * L + i + 1).map(Math.abs);
      const mass = row.reduce((sum, value) => sum + value, 0);
      sums[4] = Math.max(sums[4], ...row);
      if (mass === 0) continue;
      rows += 1;
      row.forEach((value, j) => {
        const share = value / mass;
        sums[0] -= share > 0 ? share * Math.log(share) : 0;
        if (j === 0) sums[1] += share;
        if (i - j < nearest) sums[2] += share;
        sums[3] += share * (i - j);
      });
    }
    for (let q = 0; q < 4; q++) sums[q] /= Math.max(rows, 1);
  }
  return out;
}

export const s6BlockAttention = (scan: S6AttentionInput, fold: BlockFold, reduction: BlockReduction): Float64Array =>
  reducedMap(s6Channels(scan, fold), fold, reduction);

export const s6BlockColumns = (scan: S6AttentionInput, fold: BlockFold, range: ColumnRange): Float64Array =>
  columns(s6Channels(scan, fold), fold, range);

export const s6BlockStatistics = (scan: S6AttentionInput, fold: BlockFold, nearest: number): Float64Array =>
  statistics(s6Channels(scan, fold), fold, nearest);

export const ssdBlockAttention = (scan: SsdAttentionInput, fold: BlockFold, reduction: BlockReduction): Float64Array =>
  reducedMap(ssdChannels(scan, fold), fold, reduction);

export const ssdBlockColumns = (scan: SsdAttentionInput, fold: BlockFold, range: ColumnRange): Float64Array =>
  columns(ssdChannels(scan, fold), fold, range);

export const ssdBlockStatistics = (scan: SsdAttentionInput, fold: BlockFold, nearest: number): Float64Array =>
  statistics(ssdChannels(scan, fold), fold, nearest);
