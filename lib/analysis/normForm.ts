import * as tf from '@tensorflow/tfjs';
import { blockColumns } from '@/kernels/ops';
import { valuesOf } from './blockForm';
import type { BlockParameters } from './blockParameters';
import { type ContributionMap, foldedTerm, innerOf, isWhole, type Term, termsOf } from './contributions';
import { relativeError } from './reconstruction';
import type { Branch } from './s6Attention';
import type { BlockCache } from './s6Inputs';
import { tidied } from './tidied';

/** Values of one strip of sources that are held at a time: 64 MB a scan. */
const STRIP_VALUES = 2 ** 24;
const STRIP_WIDTH = 16;

/** Sources that are taken at a time for E channels and L tokens. */
export const stripWidth = (L: number, E: number): number =>
  Math.max(1, Math.min(STRIP_WIDTH, Math.floor(STRIP_VALUES / (L * E))));

/**
 * Size of what source token j adds to the residual stream at i through one block (spec C4): ‖T[i,j] u_j‖₂, T the whole block
 * as an operator on its normalised input, projections, λ, (1 − λ_init) and the weight of subln included, every 1/rms a
 * constant of its position. For `diff` both branches are subtracted as vectors before the norm is taken.
 *
 * Cost: O(E·L²·N) and L²/2 products of a [d,E] matrix by a vector, so about E·d·L² multiply-adds a scan.
 * Memory: a strip of at most 16 sources for every channel, never an E×L×L buffer.
 * @throws InputError where the block has no such branch
 */
export function normForm(cache: BlockCache, parameters: BlockParameters, branch: Branch): ContributionMap {
  const { d } = parameters;
  const L = cache.out.length / d;
  const terms = termsOf(cache, parameters, branch);
  const map = new Float32Array(L * L);
  const sums = terms.map(({ scan }) => new Float32Array((cache.scans.get(scan)?.E ?? 0) * L));
  const E = Math.max(...sums.map((sum) => sum.length / L));
  const width = stripWidth(L, E);
  for (let first = 0; first < L; first += width) {
    const range = { first, count: Math.min(width, L - first) };
    const norms = stripNorms(cache, parameters, terms, range, sums);
    for (let r = 0; r < L - first; r++)
      map.set(norms.subarray(r * range.count, (r + 1) * range.count), (first + r) * L + first);
  }
  return {
    map,
    L,
    reconstructionError: errorOf(cache, parameters, terms, sums, branch),
    convention: `‖T[i,j] u_j‖₂ of ${branch === 'diff' ? 'the difference as an operator, exact' : branch}, every norm frozen`,
  };
}

interface Range {
  readonly first: number;
  readonly count: number;
}

/** ‖Σ_m W_m p_m[i,j]‖ for the sources of a strip [L − first, count]; adds Σ_j p_m[i,j] to `sums` [E,L]. */
function stripNorms(
  cache: BlockCache,
  parameters: BlockParameters,
  terms: readonly Term[],
  range: Range,
  sums: readonly Float32Array[],
): Float32Array {
  const { d } = parameters;
  return tidied(() => {
    const written = terms.map(({ scan, weight }, m) => {
      const folded = foldedTerm(cache, parameters, scan);
      const p = blockColumns(folded.of, { ...folded.fold, weight: folded.x0 }, range);
      const [E, rows, count] = p.shape;
      accumulate(sums[m], tf.sum(p, 2).dataSync() as Float32Array, rows);
      return tf.matMul(tf.tensor2d(weight, [d, E]), p.reshape([E, rows * count]));
    });
    return valuesOf(tf.sqrt(tf.sum(tf.square(tf.addN(written)), 0)));
  });
}

/** Adds [E,rows] to the last rows of [E,L]. */
function accumulate(sums: Float32Array, values: Float32Array, rows: number): void {
  const E = values.length / rows;
  const L = sums.length / E;
  for (let e = 0; e < E; e++) for (let r = 0; r < rows; r++) sums[e * L + L - rows + r] += values[e * rows + r];
}

/** The contributions of all sources and the rest, against what the forward pass added. */
function errorOf(
  cache: BlockCache,
  parameters: BlockParameters,
  terms: readonly Term[],
  sums: readonly Float32Array[],
  branch: Branch,
): number {
  const { d, fixed } = parameters;
  const L = cache.out.length / d;
  return tf.tidy(() => {
    const parts = terms.map(({ scan, weight }, m) => {
      const folded = foldedTerm(cache, parameters, scan);
      const inner = innerOf(cache, parameters, scan, folded);
      const E = folded.x0.shape[1];
      const write = (values: tf.Tensor2D) => tf.matMul(values, tf.tensor2d(weight, [d, E]), false, true);
      return { got: write(tf.transpose(tf.tensor2d(sums[m], [E, L])).add(inner.rest)), expected: write(inner.forward) };
    });
    const got = tf.addN(parts.map((part) => part.got));
    if (!isWhole(branch)) return relativeError(valuesOf(got), valuesOf(tf.addN(parts.map((part) => part.expected))));
    return relativeError(valuesOf(fixed ? got.add(tf.tensor2d(fixed, [L, d])) : got), cache.out);
  });
}
