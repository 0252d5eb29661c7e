import * as tf from '@tensorflow/tfjs';
import { blockAttention, blockColumns } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import { biasTerm, type FoldedScan, foldedScan, forwardScan } from './blockFold';
import type { MixerName, Operator } from './operator';
import { type Branch, branchesOf } from './s6Attention';
import type { BlockCache, ScanBranch } from './s6Inputs';
import { headValues, headWeights, normalisersOf, weightedColumns } from './softmaxForm';

/** A map of what source tokens add through a block: exact as an operator on the block's input (equations C4). */
export interface ContributionMap {
  /** [L,L], target i by source j, zero for j > i. */
  readonly map: Float32Array;
  readonly L: number;
  /** ‖row sums + rest − what the forward pass added‖ / ‖the latter‖. */
  readonly reconstructionError: number;
  readonly convention: string;
}

/** One term of a block's output: the part of one mixer, with its factor in the sum. */
export interface Term {
  readonly mixer: MixerName;
  /** Row-major [d,E]. */
  readonly weight: Float32Array;
}

/**
 * The terms that make up a branch of a block: all of them for the whole of it, whose sum or difference is exact here, and in one
 * where they read the same scan.
 * @throws InputError where the block has no such branch.
 */
export function termsOf({ kind, index }: BlockCache, operator: Operator, branch: Branch): Term[] {
  const known = branchesOf(kind);
  if (known.length === 0)
    throw new InputError(`Layer ${index} (${kind}) reads no other token, so it has no map: choose another layer.`);
  if (!known.includes(branch))
    throw new InputError(`Layer ${index} (${kind}) has no branch ${branch}: choose one of ${known.join(', ')}.`);
  const [first, second] = operator.branches;
  if (branch === 'mixer_1') return [{ mixer: first.mixer, weight: first.weight() }];
  if (branch === 'mixer_2') return [{ mixer: second.mixer, weight: second.weight() }];
  if (branch === 'lambda_mixer_2') return [{ mixer: second.mixer, weight: second.part().map((value) => -value) }];
  const whole = wholeOf(operator);
  if (branch === 'attention' || branch === 'mamba')
    return whole.filter(({ mixer }) => (mixer === 'attention') === (branch === 'attention'));
  return whole;
}

/** The terms of all that a block adds. */
export const wholeOf = (operator: Operator): Term[] =>
  [...new Set(operator.branches.map(({ mixer }) => mixer))].map((mixer) => ({
    mixer,
    weight: partOf(operator, mixer),
  }));

/** All that a block makes of one mixer's inner output, row-major [d,E]. */
export function partOf({ branches }: Operator, mixer: MixerName): Float32Array {
  const parts = branches.filter((branch) => branch.mixer === mixer).map((branch) => branch.part());
  return parts.reduce((sum, part) => sum.map((value, k) => value + part[k]));
}

/** True where the terms are all that the block adds, so that its own output and its biases are the measure. */
export const isWhole = (branch: Branch): boolean => branch === 'single' || branch === 'diff';

/** The folded scan of a term, the block's scale per position included; call it inside `tf.tidy`. */
export function foldedTerm(cache: BlockCache, operator: Operator, scan: ScanBranch): FoldedScan {
  const inputs = cache.scans.get(scan);
  const weights = operator.scans.get(scan);
  if (!inputs || !weights) throw new Error(`The block has no scan ${scan}.`);
  const folded = foldedScan(inputs, weights);
  const target = folded.fold.target.mul<tf.Tensor2D>(tf.tensor2d(operator.scale, [inputs.L, 1]));
  return { ...folded, fold: { ...folded.fold, target } };
}

/** Inner outputs [L,E] of a term, scaled: what the forward pass had, and its token-free part. */
export function innerOf(cache: BlockCache, operator: Operator, scan: ScanBranch, folded: FoldedScan) {
  const [inputs, weights] = [cache.scans.get(scan), operator.scans.get(scan)];
  if (!inputs || !weights) throw new Error(`The block has no scan ${scan}.`);
  return { forward: forwardScan(inputs, weights).mul<tf.Tensor2D>(folded.fold.target), rest: biasTerm(folded) };
}

/** A mixer of a block on the device, as an operator on what its sources give; dispose of it. */
export interface HeldMixer {
  /** Inner channels. */
  readonly E: number;
  /** What sources j of a strip give to every inner channel at i ≥ first: [E, L − first, count]; call it inside `tf.tidy`. */
  columns(range: { readonly first: number; readonly count: number }): tf.Tensor3D;
  /** Σ_e read[i,e] times what source j gives to channel e at i [L,L]; call it inside `tf.tidy`. */
  along(read: tf.Tensor2D): tf.Tensor2D;
  /** Inner outputs [L,E]: what the forward pass had, and what no token gives; call it inside `tf.tidy`. */
  inner(): { readonly forward: tf.Tensor2D; readonly rest: tf.Tensor2D };
  dispose(): void;
}

/** A mixer of a block that a forward pass left. */
export const heldMixer = (cache: BlockCache, operator: Operator, mixer: MixerName): HeldMixer =>
  mixer === 'attention' ? heldAttention(cache) : heldScan(cache, operator, mixer);

function heldScan(cache: BlockCache, operator: Operator, scan: ScanBranch): HeldMixer {
  const folded = tf.tidy(
    () => foldedTerm(cache, operator, scan) as unknown as tf.TensorContainer,
  ) as unknown as FoldedScan;
  return {
    E: folded.x0.shape[1],
    columns: (range) => blockColumns(folded.of, { ...folded.fold, weight: folded.x0 }, range),
    along: (read) => {
      const target = folded.fold.target.mul<tf.Tensor2D>(read);
      return blockAttention(folded.of, { ...folded.fold, target, weight: folded.x0 }, 'sum');
    },
    inner: () => innerOf(cache, operator, scan, folded),
    dispose: () => tf.dispose(folded as unknown as tf.TensorContainer),
  };
}

function heldAttention({ attention, index }: BlockCache): HeldMixer {
  if (!attention) throw new Error(`Block ${index} has no attention.`);
  const { L, H, D, z } = attention;
  const E = H * D;
  let normalisers: Float32Array | undefined;
  return {
    E,
    columns: (range) => {
      normalisers ??= normalisersOf(attention);
      return weightedColumns(attention, normalisers, range);
    },
    along: (read) => {
      let sum = tf.zeros<tf.Rank.R2>([L, L]);
      for (let h = 0; h < H; h++)
        sum = tf.tidy(() => {
          const given = tf.matMul(read.slice([0, h * D], [-1, D]), headValues(attention, h), false, true);
          return sum.add<tf.Tensor2D>(headWeights(attention, h).mul(given));
        });
      return sum;
    },
    inner: () => ({ forward: tf.tensor2d(z, [L, E]), rest: tf.zeros<tf.Rank.R2>([L, E]) }),
    dispose: () => undefined,
  };
}
