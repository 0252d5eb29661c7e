import * as tf from '@tensorflow/tfjs';
import { blockAttention, type ChannelReduction, type HeadReduction, s6Attention, ssdAttention } from '@/kernels/ops';
import { anatomyOf } from '@/lib/architectures';
import { type BlockKind, InputError } from '@/lib/checkpoint/types';
import { type Branch, DIFFERENTIAL_BRANCHES, PARALLEL_BRANCHES } from '@/lib/vocabulary';
import { alone } from './blockFold';
import { reconstructionErrorOf } from './reconstruction';
import { type AttentionMap, isMagnitude, parseReduction, type Reduction, requireIndex } from './reductions';
import type { BlockCache, S6Inputs, ScanBranch } from './s6Inputs';
import { softmaxMap } from './softmaxForm';

export type { Branch } from '@/lib/vocabulary';
export * from './reductions';
export {
  type AttentionInputs,
  type BlockCache,
  blockCache,
  captureNames,
  type Family,
  type Mamba1Inputs,
  type Mamba2Inputs,
  type S6Inputs,
  type ScanBranch,
} from './s6Inputs';

/**
 * The maps that a block of this kind has as an exact operator; the last one says most about it. None of an MLP, which reads no
 * other token.
 */
export function branchesOf(kind: BlockKind): readonly Branch[] {
  const { scans, attention } = anatomyOf({ kind });
  if (scans.length === 2) return DIFFERENTIAL_BRANCHES;
  if (scans.length === 1 && attention) return [...PARALLEL_BRANCHES, 'single'];
  return scans.length === 1 || attention ? ['single'] : [];
}

/** Those of the mixers' own maps, which have no sum where two stand side by side. */
export const mixerBranchesOf = (kind: BlockKind): readonly Branch[] =>
  isParallel(kind) ? PARALLEL_BRANCHES : branchesOf(kind);

const isParallel = (kind: BlockKind): boolean => branchesOf(kind).length === PARALLEL_BRANCHES.length + 1;

/** Whether a block reads other tokens at all: one that is an MLP has no map. */
export const readsTokens = (kind: BlockKind): boolean => branchesOf(kind).length > 0;

/** Which of a block's branches are softmax attention. */
export function isSoftmax(kind: BlockKind, branch: Branch): boolean {
  const { scans, attention } = anatomyOf({ kind });
  return attention !== undefined && (branch === 'attention' || (branch === 'single' && scans.length === 0));
}

/** The branch of a block that is the own map of one of its mixers. */
export function branchOfMixer(kind: BlockKind, mixer: ScanBranch | 'attention'): Branch {
  if (isParallel(kind)) return mixer === 'attention' ? 'attention' : 'mamba';
  return mixer === 'attention' ? 'single' : mixer;
}

/** The scan that a branch is the map of, or is all of. */
export const scanOf = (branch: Branch): ScanBranch =>
  branch === 'mixer_1' || branch === 'mixer_2' ? branch : 'single';

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
  if (block.attention && isSoftmax(block.kind, branch)) return softmaxMap(block.attention, reduction);
  if (!mixerBranchesOf(block.kind).includes(branch)) throw noBranch(block, branch);
  const scan = (name: ScanBranch) => scanAttention(requireScan(block, name, branch), reduction);
  if (branch === 'lambda_mixer_2') return lambdaTimes(scan('mixer_2'), block);
  if (branch === 'diff') return differenceOf(scan('mixer_1'), scan('mixer_2'), block);
  return scan(scanOf(branch));
}

function requireScan({ scans, index, kind }: BlockCache, name: ScanBranch, asked: Branch): S6Inputs {
  const inputs = scans.get(name);
  if (inputs) return inputs;
  throw noBranch({ index, kind }, asked);
}

function noBranch({ index, kind }: Pick<BlockCache, 'index' | 'kind'>, asked: Branch): InputError {
  const known = mixerBranchesOf(kind);
  if (known.length === 0)
    return new InputError(`Layer ${index} (${kind}) reads no other token, so it has no map: choose another layer.`);
  return new InputError(`Layer ${index} (${kind}) has no branch ${asked}: choose one of ${known.join(', ')}.`);
}
