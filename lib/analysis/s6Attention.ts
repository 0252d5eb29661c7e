import * as tf from '@tensorflow/tfjs';
import { blockAttention, type ChannelReduction, type HeadReduction, s6Attention, ssdAttention } from '@/kernels/ops';
import { scansOf } from '@/lib/architectures/places';
import { type BlockKind, InputError } from '@/lib/checkpoint/types';
import { DIFFERENTIAL_BRANCHES } from '@/lib/vocabulary';
import { alone } from './blockFold';
import { reconstructionErrorOf } from './reconstruction';
import type { BlockCache, S6Inputs, ScanBranch } from './s6Inputs';

export {
  type BlockCache,
  blockCache,
  captureNames,
  type Family,
  type Mamba1Inputs,
  type Mamba2Inputs,
  type S6Inputs,
  type ScanBranch,
} from './s6Inputs';

/** Every map of a block: its scans, λ · branch 2, and branch 1 − λ · branch 2. */
export type Branch = ScanBranch | 'lambda_mixer_2' | 'diff';

/** How the channels or heads of one scan become one map. */
export type Reduction =
  | { readonly how: 'mean' }
  | { readonly how: 'mean_abs' }
  | { readonly how: 'max' }
  | { readonly how: 'channel'; readonly index: number }
  | { readonly how: 'head'; readonly index: number };

export interface AttentionMap {
  /** [L,L], target i (rows) by source j (columns), zero for j > i. */
  readonly map: Float32Array;
  readonly L: number;
  /**
   * Relative error of the map used as what it stands for, against the scan itself; see {@link reconstructionErrorOf}.
   * Differences carry the larger one of their branches.
   */
  readonly reconstructionError: number;
  /** What the numbers are, for people. */
  readonly convention: string;
  /** Whether the values are sizes, which have no sign. */
  readonly magnitude?: boolean;
}

/** The maps that a block of this kind has; the last one says most about it. */
export const branchesOf = (kind: BlockKind): readonly Branch[] =>
  scansOf({ kind }).length === 1 ? ['single'] : DIFFERENTIAL_BRANCHES;

/** Reads `mean`, `mean_abs`, `max`, `channel:5` or `head:0`. @throws InputError for anything else. */
export function parseReduction(text: string): Reduction {
  if (text === 'mean' || text === 'mean_abs' || text === 'max') return { how: text };
  const [, how, index] = /^(channel|head):(\d{1,9})$/.exec(text) ?? [];
  if (how === 'channel' || how === 'head') return { how, index: Number(index) };
  throw new InputError(`There is no reduction "${text}": choose mean, mean_abs, max, channel:NUMBER or head:NUMBER.`);
}

/** Whether a reduction leaves sizes: their difference over two branches is signed, and no size of a difference. */
export const isMagnitude = ({ how }: Reduction): boolean => how === 'mean_abs' || how === 'max';

/**
 * S6 implicit attention of one scan (equations C1, C3), without D: α[i,j] is the weight of source j in output i. A
 * channel of an SSD scan has the map of its head.
 *
 * Cost: O(E·L²·N) for the mean of S6, O(H·L² + G·L²·N) for SSD, O(L²·N) for one channel or head; memory one map.
 * @throws InputError where there is no such channel or head.
 */
export function scanAttention(inputs: S6Inputs, reduction: Reduction): AttentionMap {
  const { L } = inputs;
  const map = inputs.family === 'mamba1' ? s6Map(inputs, reduction) : ssdMap(inputs, reduction);
  const reconstructionError = reconstructionErrorOf(inputs, reduction, map);
  return {
    map,
    L,
    reconstructionError,
    convention: `S6 implicit attention without D, ${conventionOf(inputs, reduction)}`,
    magnitude: isMagnitude(reduction),
  };
}

function s6Map(inputs: S6Inputs & { family: 'mamba1' }, reduction: Reduction): Float32Array {
  if (reduction.how === 'head')
    throw new InputError('A Mamba-1 scan has no heads: choose mean, mean_abs, max or channel:NUMBER.');
  if (reduction.how === 'channel') requireIndex('channel', reduction.index, inputs.E);
  const { L, E, N } = inputs;
  if (reduction.how === 'max') return largest(inputs);
  const reduce: ChannelReduction = reduction.how === 'channel' ? { channel: reduction.index } : reduction.how;
  return valuesOf(() =>
    s6Attention(
      {
        delta: tf.tensor2d(inputs.delta, [L, E]),
        A: tf.tensor2d(inputs.A, [E, N]),
        B: tf.tensor2d(inputs.B, [L, N]),
        C: tf.tensor2d(inputs.C, [L, N]),
      },
      { reduce },
    ),
  );
}

function ssdMap(inputs: S6Inputs & { family: 'mamba2' }, reduction: Reduction): Float32Array {
  const { L, E, N, H, P, G } = inputs;
  if (reduction.how === 'channel') requireIndex('channel', reduction.index, E);
  if (reduction.how === 'head') requireIndex('head', reduction.index, H);
  if (reduction.how === 'max') return largest(inputs);
  const reduce = headReduction(reduction, P);
  return valuesOf(() =>
    ssdAttention(
      {
        delta: tf.tensor2d(inputs.delta, [L, H]),
        A: tf.tensor1d(inputs.A),
        B: tf.tensor3d(inputs.B, [L, G, N]),
        C: tf.tensor3d(inputs.C, [L, G, N]),
      },
      { reduce },
    ),
  );
}

/** max |α| over the channels of an S6 scan, or over the heads of an SSD scan. */
const largest = (inputs: S6Inputs): Float32Array =>
  valuesOf(() => {
    const { of, fold } = alone(inputs);
    return blockAttention(of, fold, 'max_abs');
  });

function headReduction(reduction: Exclude<Reduction, { readonly how: 'max' }>, P: number): HeadReduction {
  if (reduction.how === 'channel') return { head: Math.floor(reduction.index / P) };
  return reduction.how === 'head' ? { head: reduction.index } : reduction.how;
}

/** The result in memory of its own: a device may reuse what `dataSync` returns. */
function valuesOf(compute: () => tf.Tensor): Float32Array {
  const result = tf.tidy(compute);
  const values = (result.dataSync() as Float32Array).slice();
  result.dispose();
  return values;
}

function conventionOf(inputs: S6Inputs, reduction: Reduction): string {
  const parts = inputs.family === 'mamba1' ? `${inputs.E} channels` : `${inputs.H} heads`;
  if (reduction.how === 'mean') return `signed mean over ${parts}`;
  if (reduction.how === 'mean_abs') return `mean of |α| over ${parts}`;
  if (reduction.how === 'max') return `largest |α| over ${parts}`;
  return `${reduction.how} ${reduction.index}`;
}

export function requireIndex(what: string, index: number, count: number): void {
  if (index < count) return;
  throw new InputError(`There is no ${what} ${index}: this block's ${what}s go from 0 to ${count - 1}.`);
}

/** λ of a differential block as one number. @throws InputError where it has one value per channel, or none that is finite. */
function scalarLambda({ index, lambda }: BlockCache): number {
  if (typeof lambda === 'number' && !Number.isFinite(lambda))
    throw new InputError(`λ of layer ${index} is ${lambda}: look for NaN in its weights with "run --names all".`);
  if (typeof lambda === 'number') return lambda;
  throw new InputError(
    `Layer ${index} has one λ per channel of its output, so its S6 maps have no common factor: look at mixer_1 and mixer_2.`,
  );
}

/** λ · (map of branch 2). @throws InputError for a λ per channel. */
export function lambdaTimes(second: AttentionMap, block: BlockCache): AttentionMap {
  const lambda = scalarLambda(block);
  return {
    ...second,
    map: second.map.map((value) => lambda * value),
    convention: `λ times branch 2, λ = ${lambda.toPrecision(4)}: ${second.convention}`,
  };
}

/**
 * A₁ − λ A₂ of two maps of a block, the definition of the paper (arXiv 2507.06204, Eq. 20, and Eq. 14 for Diff-S6). It
 * is an approximation where the branches have their own projections, which it leaves out.
 * @throws InputError for a λ per channel.
 */
export function differenceOf(first: AttentionMap, second: AttentionMap, block: BlockCache): AttentionMap {
  const lambda = scalarLambda(block);
  const error = Math.max(first.reconstructionError, second.reconstructionError);
  return {
    map: first.map.map((value, k) => value - lambda * second.map[k]),
    L: first.L,
    reconstructionError: error,
    convention: first.magnitude
      ? `size of branch 1 − λ times that of branch 2, λ = ${lambda.toPrecision(4)}: signed, not the size of a difference: ${first.convention}`
      : `A₁ − λA₂, λ = ${lambda.toPrecision(4)}, the paper's approximation (projections left out): ${first.convention}`,
  };
}

/**
 * One map of a block.
 * @param view.reduce `mean`, `mean_abs`, `channel:K` or `head:K`; for `diff` of magnitudes: mean|α₁| − λ mean|α₂|
 * @throws InputError where the block has no such branch, channel or head, or no single λ.
 */
export function attentionOf(
  block: BlockCache,
  { branch, reduce }: { readonly branch: Branch; readonly reduce: string },
): AttentionMap {
  const reduction = parseReduction(reduce);
  const scan = (name: ScanBranch) => scanAttention(requireScan(block, name, branch), reduction);
  if (branch === 'lambda_mixer_2') return lambdaTimes(scan('mixer_2'), block);
  if (branch === 'diff') return differenceOf(scan('mixer_1'), scan('mixer_2'), block);
  return scan(branch);
}

function requireScan({ scans, index, kind }: BlockCache, name: ScanBranch, asked: Branch): S6Inputs {
  const inputs = scans.get(name);
  if (inputs) return inputs;
  throw new InputError(
    `Layer ${index} (${kind}) has no branch ${asked}: choose one of ${branchesOf(kind).join(', ')}.`,
  );
}
