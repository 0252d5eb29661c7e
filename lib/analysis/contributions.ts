import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { biasTerm, type FoldedScan, foldedScan, forwardScan } from './blockFold';
import type { BlockParameters } from './blockParameters';
import { type Branch, branchesOf } from './s6Attention';
import type { BlockCache, ScanBranch } from './s6Inputs';

/** A map of what source tokens add through a block: exact as an operator on the block's input (spec C4). */
export interface ContributionMap {
  /** [L,L], target i by source j, zero for j > i. */
  readonly map: Float32Array;
  readonly L: number;
  /** ‖row sums + rest − what the forward pass added‖ / ‖the latter‖. */
  readonly reconstructionError: number;
  readonly convention: string;
}

/** One term of a block's output: the part of one scan, with its factor in the sum. */
export interface Term {
  readonly scan: ScanBranch;
  /** Row-major [d,E]. */
  readonly weight: Float32Array;
}

/**
 * The terms that make up a branch of a block: both of them for `diff`, whose subtraction is exact here.
 * @throws InputError where the block has no such branch.
 */
export function termsOf({ kind, index }: BlockCache, { parts, unscaled }: BlockParameters, branch: Branch): Term[] {
  const own = (scan: ScanBranch, from: ReadonlyMap<ScanBranch, Float32Array>): Term => {
    const weight = from.get(scan);
    if (weight) return { scan, weight };
    throw new InputError(
      `Layer ${index} (${kind}) has no branch ${branch}: choose one of ${branchesOf(kind).join(', ')}.`,
    );
  };
  if (branch === 'diff') return [own('mixer_1', parts), own('mixer_2', parts)];
  if (branch !== 'lambda_mixer_2') return [own(branch, unscaled)];
  const { scan, weight } = own('mixer_2', parts);
  return [{ scan, weight: weight.map((value) => -value) }];
}

/** True where the terms are all that the block adds, so that its own output and its biases are the measure. */
export const isWhole = (branch: Branch): boolean => branch === 'single' || branch === 'diff';

/** The folded scan of a term, the block's scale per position included; call it inside `tf.tidy`. */
export function foldedTerm(cache: BlockCache, parameters: BlockParameters, scan: ScanBranch): FoldedScan {
  const inputs = cache.scans.get(scan);
  const weights = parameters.scans.get(scan);
  if (!inputs || !weights) throw new Error(`The block has no scan ${scan}.`);
  const folded = foldedScan(inputs, weights);
  const target = folded.fold.target.mul<tf.Tensor2D>(tf.tensor2d(parameters.scale, [inputs.L, 1]));
  return { ...folded, fold: { ...folded.fold, target } };
}

/** Inner outputs [L,E] of a term, scaled: what the forward pass had, and its token-free part. */
export function innerOf(cache: BlockCache, parameters: BlockParameters, scan: ScanBranch, folded: FoldedScan) {
  const [inputs, weights] = [cache.scans.get(scan), parameters.scans.get(scan)];
  if (!inputs || !weights) throw new Error(`The block has no scan ${scan}.`);
  return { forward: forwardScan(inputs, weights).mul<tf.Tensor2D>(folded.fold.target), rest: biasTerm(folded) };
}
