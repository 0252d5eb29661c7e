import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { LmSuiteConfig } from './config';

/** Tokens from ≤ id < to, frequent ones first; their embeddings have `width` numbers. */
export interface Cluster {
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

/**
 * The head (cluster 0) and the tail clusters. With divVal 1 the vocabulary may end before the cutoffs do; the
 * clusters behind its end are empty.
 * @throws InputError when the cutoffs do not fit the vocabulary or the widths come down to nothing
 */
export function clustersOf({ d, V, cutoffs, divVal }: LmSuiteConfig): Cluster[] {
  const ends = [0, ...cutoffs];
  if (ends.some((end, i) => !Number.isInteger(end) || (i > 0 && end <= ends[i - 1])))
    throw new InputError(
      `The cutoffs ${cutoffs.join(', ')} are no rising list of token ids: give each cluster a token.`,
    );
  if (!Number.isInteger(divVal) || divVal < 1)
    throw new InputError(`divVal is ${divVal}: give a whole number from 1 on.`);
  if (divVal > 1 && (cutoffs.at(-1) ?? 0) >= V)
    throw new InputError(
      `The last cutoff ${cutoffs.at(-1)} is not below the vocabulary of ${V}: lower it, or use divVal 1.`,
    );
  if (d < divVal ** cutoffs.length)
    throw new InputError(`A width of ${d} cannot be divided by ${divVal} ${cutoffs.length} times: use a larger d.`);
  return ends.map((end, i) => ({
    from: Math.min(end, V),
    to: Math.min(ends[i + 1] ?? V, V),
    width: Math.floor(d / divVal ** i),
  }));
}

/** The embedding tables: one for all tokens with divVal 1, else one a cluster. */
export const tablesOf = (config: LmSuiteConfig): Cluster[] =>
  config.divVal === 1 ? [{ from: 0, to: config.V, width: config.d }] : clustersOf(config);

/** Rows ordered by cluster, stable within one; rows without a token (a negative id) come last. */
export interface SortedRows {
  /** order[k] is the row that comes k-th. */
  readonly order: Int32Array;
  /** The ids of each cluster, in the new order. */
  readonly ids: readonly Int32Array[];
  /** Rows with a token. */
  readonly count: number;
}

export function sortByCluster(ids: Int32Array, clusters: readonly Cluster[]): SortedRows {
  const rows: number[][] = clusters.map(() => []);
  const without: number[] = [];
  ids.forEach((id, row) => {
    const cluster = clusters.findIndex(({ to }) => id < to);
    (id < 0 ? without : rows[cluster]).push(row);
  });
  return {
    order: Int32Array.from([...rows, without].flat()),
    ids: rows.map((members) => Int32Array.from(members, (row) => ids[row])),
    count: ids.length - without.length,
  };
}

export function inverseOf(order: Int32Array): Int32Array {
  const inverse = new Int32Array(order.length);
  order.forEach((row, k) => {
    inverse[row] = k;
  });
  return inverse;
}

/** x[order] of a permutation: [M,d] → [M,d]. Its gradient is the inverse permutation, O(M d) where a gather's is a scatter. */
export function permuteRows(x: tf.Tensor2D, order: Int32Array): tf.Tensor2D {
  if (order.every((row, k) => row === k)) return x;
  const take = (value: tf.Tensor, rows: Int32Array) => tf.tidy(() => tf.gather(value, tf.tensor1d(rows, 'int32')));
  const permute = tf.customGrad((value) => ({
    value: take(value as tf.Tensor, order),
    gradFunc: (dy: tf.Tensor) => take(dy, inverseOf(order)),
  }));
  return permute(x) as tf.Tensor2D;
}
