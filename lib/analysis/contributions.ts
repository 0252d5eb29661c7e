import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { biasTerm, type FoldedScan, foldedScan, forwardScan } from './blockFold';
import type { Operator } from './operator';
import { type Branch, branchesOf } from './s6Attention';
import type { BlockCache, ScanBranch } from './s6Inputs';

/** A map of what source tokens add through a block: exact as an operator on the block's input (equations C4). */
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
 * The terms that make up a branch of a block: both of them for `diff`, whose subtraction is exact here, and in one where
 * they read the same scan.
 * @throws InputError where the block has no such branch.
 */
export function termsOf({ kind, index }: BlockCache, operator: Operator, branch: Branch): Term[] {
  if (!branchesOf(kind).includes(branch))
    throw new InputError(
      `Layer ${index} (${kind}) has no branch ${branch}: choose one of ${branchesOf(kind).join(', ')}.`,
    );
  const [first, second] = operator.branches;
  if (branch === 'mixer_1') return [{ scan: first.scan, weight: first.weight() }];
  if (branch === 'mixer_2') return [{ scan: second.scan, weight: second.weight() }];
  if (branch === 'lambda_mixer_2') return [{ scan: second.scan, weight: second.part().map((value) => -value) }];
  return [...operator.scans.keys()].map((scan) => ({ scan, weight: partOf(operator, scan) }));
}

/** All that a block makes of one scan's inner output, row-major [d,E]. */
export function partOf({ branches }: Operator, scan: ScanBranch): Float32Array {
  const parts = branches.filter((branch) => branch.scan === scan).map((branch) => branch.part());
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
