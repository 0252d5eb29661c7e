import type * as tf from '@tensorflow/tfjs';
import { type BlockReduction, type ColumnRange, STATISTICS_PER_CHANNEL } from '../reference/block-attention';
import type { S6AttentionTensors, SsdAttentionTensors } from './attention';
import { runKernel } from './registry';
import { OperandError, requireDivisor, requireRank, requireShape } from './validate';

export { type BlockReduction, type ColumnRange, STATISTICS_PER_CHANNEL };

/** What is folded around the attention of each of E channels (equations C2); all float32. */
export interface BlockFoldTensors {
  /** [L,E] factor of the token that the scan reads: σ of the convolution's output. */
  readonly source: tf.Tensor2D;
  /** [E,K] causal convolution, the last tap for the current token. */
  readonly taps: tf.Tensor2D;
  /** [L,E] factor of the target: the gate, and what follows it. */
  readonly target: tf.Tensor2D;
  /** [E] for S6, [H] for SSD: the skip, added to the diagonal of α. */
  readonly D?: tf.Tensor1D;
  /** [L,E] factor of the source before the convolution. */
  readonly weight?: tf.Tensor2D;
}

interface S6Scan {
  readonly kind: 'S6';
  readonly scan: S6AttentionTensors;
}

interface SsdScan {
  readonly kind: 'Ssd';
  readonly scan: SsdAttentionTensors;
}

/** One scan of either family, and what is folded around it. */
export type BlockScan = S6Scan | SsdScan;

/**
 * Folded implicit attention (equations C2, exact form), reduced over channels to [L,L]: for target i and source j ≤ i
 *
 *     M_e[i,j] = target[i,e] weight[j,e] Σ_k taps[e,K−1−k] source[j+k,e] (α_e[i,j+k] + D_e [i = j+k]),  0 ≤ k < K, j+k ≤ i
 *
 * `sum`: Σ_e M_e, `sum_abs`: Σ_e |M_e|, `max_abs`: max_e |M_e|. α is that of `s6Attention` or, with E/H channels a head, of
 * `ssdAttention`. Cost O(E·L²·N) for S6, O(E·L²·K) for SSD; never holds an E×L×L buffer. No gradient.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function blockAttention(of: BlockScan, fold: BlockFoldTensors, reduce: BlockReduction): tf.Tensor2D {
  return run(of, 'BlockAttention', fold, { reduce }) as tf.Tensor2D;
}

/**
 * M of {@link blockAttention} for every channel, sources `first` … `first + count − 1` and targets from `first` on:
 * [E, L − first, count]. For what needs more of the channels than a sum; meant for few columns at a time.
 */
export function blockColumns(of: BlockScan, fold: BlockFoldTensors, { first, count }: ColumnRange): tf.Tensor3D {
  const [L] = of.scan.delta.shape;
  if (first < 0 || count < 1 || first + count > L)
    throw new OperandError(`blockColumns: the sources ${first} to ${first + count - 1} are not among ${L} tokens`);
  return run(of, 'BlockColumns', fold, { first, count }) as tf.Tensor3D;
}

/**
 * Where each channel's |M_e| of {@link blockAttention} lies, [E,5]: means over the rows that are not zero of the entropy in
 * nats, the share of source 0, the share of the last `nearest` sources and the distance in tokens; and the largest value.
 * Cost: that of the map and a logarithm an entry.
 */
export function blockStatistics(of: BlockScan, fold: BlockFoldTensors, nearest: number): tf.Tensor2D {
  return run(of, 'BlockStatistics', fold, { nearest }) as tf.Tensor2D;
}

type Suffix = 'BlockAttention' | 'BlockColumns' | 'BlockStatistics';

function run(
  { kind, scan }: BlockScan,
  suffix: Suffix,
  { source, taps, target, D, weight }: BlockFoldTensors,
  attributes: Record<string, string | number>,
): tf.Tensor {
  const op = suffix.charAt(0).toLowerCase() + suffix.slice(1);
  const L = scan.delta.shape[0];
  const [, E] = requireRank(op, 'source', source, 'L,E');
  requireShape(op, 'source', source, 'L,E', [L, E]);
  requireShape(op, 'target', target, 'L,E', [L, E]);
  requireShape(op, 'taps', taps, 'E,K', [E, requireRank(op, 'taps', taps, 'E,K')[1]]);
  if (weight) requireShape(op, 'weight', weight, 'L,E', [L, E]);
  const [skips, letter] = kind === 'S6' ? [requireS6(op, scan, E), 'E'] : [requireSsd(op, scan, E), 'H'];
  if (D) requireShape(op, 'D', D, letter, [skips]);
  const { delta, A, B, C } = scan;
  return runKernel(`${kind}${suffix}`, { delta, A, B, C, D, source, taps, target, weight }, attributes)[0];
}

function requireS6(op: string, { delta, A, B, C }: S6AttentionTensors, E: number): number {
  const [L] = delta.shape;
  const N = requireRank(op, 'A', A, 'E,N')[1];
  requireShape(op, 'delta', delta, 'L,E', [L, E]);
  requireShape(op, 'A', A, 'E,N', [E, N]);
  requireShape(op, 'B', B, 'L,N', [L, N]);
  requireShape(op, 'C', C, 'L,N', [L, N]);
  return E;
}

function requireSsd(op: string, { delta, A, B, C }: SsdAttentionTensors, E: number): number {
  const [L, H] = requireRank(op, 'delta', delta, 'L,H');
  const [, G, N] = requireRank(op, 'B', B, 'L,G,N');
  requireShape(op, 'A', A, 'H', [H]);
  requireShape(op, 'B', B, 'L,G,N', [L, G, N]);
  requireShape(op, 'C', C, 'L,G,N', [L, G, N]);
  requireDivisor(op, 'G', G, H);
  requireDivisor(op, 'H', H, E);
  return H;
}
