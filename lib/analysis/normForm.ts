import * as tf from '@tensorflow/tfjs';
import { columnNorms } from '@/kernels/ops';
import { valuesOf } from './blockForm';
import { type ContributionMap, type HeldMixer, heldMixer, isWhole, type Term, termsOf } from './contributions';
import type { Operator } from './operator';
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

/** How far a norm form is, in pairs of tokens. */
export interface NormProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * Size of what source token j adds to the residual stream at i through one block (equations C4): ‖T[i,j] u_j‖₂, T the
 * whole block as an operator on its normalised input, projections, λ, (1 − λ_init) and the weight of subln included,
 * every 1/rms a constant of its position. For `diff` both branches are subtracted as vectors before the norm is taken.
 * Yields after every
 * strip of sources, so that its caller can show progress, let others go first, or stop.
 *
 * Cost: O(E·L²·N) and L²/2 products of a [d,E] matrix by a vector a scan: E·d·L² operations, less what has decayed.
 * Memory: a strip of at most 16 sources for every channel, never an E×L×L buffer.
 * @throws InputError where the block has no such branch
 */
export function* normSteps(
  cache: BlockCache,
  operator: Operator,
  branch: Branch,
): Generator<NormProgress, ContributionMap, void> {
  const L = cache.out.length / operator.d;
  const terms = termsOf(cache, operator, branch).map((term) => termOf(cache, operator, term));
  try {
    const map = new Float32Array(L * L);
    const width = stripWidth(L, Math.max(...terms.map(({ sums }) => sums.length / L)));
    for (let first = 0; first < L; first += width) {
      const range = { first, count: Math.min(width, L - first) };
      const norms = stripNorms(terms, range);
      for (let r = 0; r < L - first; r++)
        map.set(norms.subarray(r * range.count, (r + 1) * range.count), (first + r) * L + first);
      const left = L - first - range.count;
      yield { done: (L * (L + 1) - left * (left + 1)) / 2, total: (L * (L + 1)) / 2 };
    }
    return {
      map,
      L,
      reconstructionError: errorOf(cache, operator, terms, branch),
      convention: `‖T[i,j] u_j‖₂ of ${branch === 'diff' ? 'the difference as an operator, exact' : branch}, every norm frozen`,
    };
  } finally {
    for (const { held, weight } of terms) {
      held.dispose();
      weight.dispose();
    }
  }
}

/** The map of {@link normSteps}, without a stop on the way. */
export function normForm(cache: BlockCache, operator: Operator, branch: Branch): ContributionMap {
  const steps = normSteps(cache, operator, branch);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** A term on the device while its strips are taken. */
interface HeldTerm {
  readonly held: HeldMixer;
  readonly weight: tf.Tensor2D;
  /** Σ_j of what the sources give to each channel, up to the strip that was taken last [E,L]. */
  readonly sums: Float32Array;
}

function termOf(cache: BlockCache, operator: Operator, { mixer, weight }: Term): HeldTerm {
  const held = heldMixer(cache, operator, mixer);
  const { E } = held;
  return {
    held,
    weight: tf.tensor2d(weight, [operator.d, E]),
    sums: new Float32Array((E * cache.out.length) / operator.d),
  };
}

/** ‖Σ_m W_m p_m[i,j]‖ for the sources of a strip [L − first, count]; adds Σ_j p_m[i,j] to the terms' sums. */
function stripNorms(
  terms: readonly HeldTerm[],
  range: { readonly first: number; readonly count: number },
): Float32Array {
  return tidied(() => {
    const [first, second] = terms.map(({ held, weight, sums }) => {
      const columns = held.columns(range);
      accumulate(sums, tf.sum(columns, 2).dataSync() as Float32Array, columns.shape[1]);
      return { weight, columns };
    });
    return valuesOf(columnNorms(first, second));
  });
}

/** Adds [E,rows] to the last rows of [E,L]. */
function accumulate(sums: Float32Array, values: Float32Array, rows: number): void {
  const E = values.length / rows;
  const L = sums.length / E;
  for (let e = 0; e < E; e++) for (let r = 0; r < rows; r++) sums[e * L + L - rows + r] += values[e * rows + r];
}

/** The contributions of all sources and the rest, against what the forward pass added. */
function errorOf(cache: BlockCache, operator: Operator, terms: readonly HeldTerm[], branch: Branch): number {
  const { d, fixed } = operator;
  const L = cache.out.length / d;
  return tidied(() => {
    const parts = terms.map(({ held, weight, sums }) => {
      const inner = held.inner();
      const write = (values: tf.Tensor2D) => tf.matMul(values, weight, false, true);
      const given = tf.transpose(tf.tensor2d(sums, [weight.shape[1], L]));
      return { got: write(given.add(inner.rest)), expected: write(inner.forward) };
    });
    const got = tf.addN(parts.map((part) => part.got));
    if (!isWhole(branch)) return relativeError(valuesOf(got), valuesOf(tf.addN(parts.map((part) => part.expected))));
    return relativeError(valuesOf(fixed ? got.add(tf.tensor2d(fixed, [L, d])) : got), cache.out);
  });
}
