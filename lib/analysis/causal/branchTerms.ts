import * as tf from '@tensorflow/tfjs';
import type { SourceRow } from '@/kernels/ops';
import { attentionAt, scansAt } from '@/lib/architectures/places';
import { type BlockConfig, isDifferential, isHybrid } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type MixerName, type Operator, type OperatorBranch, operatorOf } from '../operator';
import { tidied } from '../tidied';
import type { Baseline } from './continuation';
import { watched } from './seenBlock';
import { attentionNames, attentionTerms, type Seen, seenAt, sourceTerms, termNames } from './sourceTerms';

/** What source tokens add to the residual stream at the token that is read, through one block. */
export interface BranchTerms {
  /** Through all of a plain block, or through branch 1 of a differential one; [L+1,d], the last row token-free. */
  readonly first: Float32Array;
  /** Through −λ · branch 2 without its sign, of a differential block. */
  readonly second?: Float32Array;
  /** What the block added, [d]: Σ_j (first − second). */
  readonly output: Float32Array;
  /** λ, or its mean where it has one value per channel; 0 of a plain block. */
  readonly lambda: number;
  /** ‖Σ_j (first − second) − output‖ / ‖output‖. */
  readonly reconstructionError: number;
}

/** Hook names that {@link branchTensors} reads in a block. */
export function branchNames(layer: number, block: BlockConfig): string[] {
  const whole = isDifferential(block) ? ['out_proj', 'diff', 'lambda'] : ['out_proj'];
  const attention = attentionAt(layer, block);
  const mixers = [...scansAt(layer, block).flatMap(termNames), ...(attention ? attentionNames(attention) : [])];
  return [...new Set([...mixers, ...whole.map((point) => at(layer, point))])];
}

const at = (layer: number, point: string) => `blocks.${layer}.hook_${point}`;

/** The same on the device; belongs to the scope that it is made in. */
export interface BranchTensors {
  readonly first: Part;
  readonly second?: Part;
  readonly output: Float32Array;
  readonly lambda: number;
}

/** What a branch adds at the token that is read. */
export interface Part {
  /** By source token [L,d]. */
  readonly sources: tf.Tensor2D;
  /** Of no token, from biases [d]; absent where there are none. */
  readonly free?: Float32Array;
}

/**
 * A block as the exact operator on its input (equations C4), split by branch and source token: the branches of a
 * difference with their own projections, λ, (1 − λ_init), the subln weight, and 1/rms of the difference as it was.
 *
 * Cost: {@link sourceTerms} of every scan, and a product [L,E]·[E,d] a branch; call it inside `tf.tidy`.
 * @param seen the points of {@link branchNames} of one sequence up to the token that is read
 */
export function branchTensors(model: Model, layer: number, seen: Seen): BranchTensors {
  const block = model.config.blocks[layer];
  const subtracts = isDifferential(block);
  const last = (point: string) => {
    const value = seenAt(seen, at(layer, point));
    const [, L, width] = value.shape;
    return value
      .slice([0, L - 1, 0], [1, 1, width])
      .dataSync()
      .slice() as Float32Array;
  };
  const output = last('out_proj');
  const lambdas = subtracts
    ? (seenAt(seen, at(layer, 'lambda')).dataSync() as Float32Array).slice()
    : new Float32Array(1);
  const operator = operatorOf(model, {
    index: layer,
    lambda: lambdas.length === 1 ? lambdas[0] : lambdas,
    diff: subtracts ? last('diff') : undefined,
    out: output,
  });
  const terms = new Map<MixerName, SourceRow>(
    scansAt(layer, block).map((scan) => [scan.name, sourceTerms(model, block.mixer, scan, seen)] as const),
  );
  const attention = attentionAt(layer, block);
  if (attention && isHybrid(block) && block.attention)
    terms.set('attention', attentionTerms(block.attention, attention, seen));
  const parts = operator.branches.map((branch, k) =>
    written(operator, branch, terms.get(branch.mixer) as SourceRow, subtracts && k > 0 ? -1 : 1),
  );
  const [first, second] = subtracts ? parts : [wholeOf(parts, seenAt(seen, at(layer, 'out_proj')))];
  const mean = lambdas.reduce((sum, value) => sum + value, 0) / lambdas.length;
  return { first, second, output, lambda: mean };
}

/** What mixers that stand side by side add together; an MLP gives all that it gives to no source. @param out what the block added */
function wholeOf(parts: readonly Part[], out: tf.Tensor): Part {
  if (parts.length === 0) {
    const [, L, d] = out.shape as [number, number, number];
    return {
      sources: tf.zeros([L, d]),
      free: out
        .slice([0, L - 1, 0])
        .dataSync<'float32'>()
        .slice(),
    };
  }
  const free = parts.flatMap((part) => (part.free ? [part.free] : []));
  return {
    sources: tf.addN(parts.map(({ sources }) => sources)),
    free: free.length > 0 ? free.reduce((sum, each) => sum.map((value, c) => value + each[c])) : undefined,
  };
}

/** {@link branchTensors} of a block that is run once more, from the residual stream that entered it, in memory of their own. */
export function branchTerms(model: Model, pass: Pick<Baseline, 'streams' | 'L'>, layer: number): BranchTerms {
  const block = watched(model, branchNames(layer, model.config.blocks[layer]));
  try {
    block.run(pass.streams[layer], layer);
    return tidied(() => {
      const { first, second, output, lambda } = branchTensors(model, layer, block.seen);
      const [one, two] = [rowsOf(first), second && rowsOf(second)];
      return { first: one, second: two, output, lambda, reconstructionError: errorOf(one, two, output) };
    });
  } finally {
    block.forget();
  }
}

/** [L+1,d], the last row token-free. */
function rowsOf({ sources, free }: Part): Float32Array {
  const [L, d] = sources.shape;
  const rows = new Float32Array((L + 1) * d);
  rows.set(sources.dataSync() as Float32Array);
  if (free) rows.set(free, L * d);
  return rows;
}

/** What the terms of a branch's scan add to the residual stream through it; its biases belong to no token. */
function written(
  { scale: [scale] }: Operator,
  branch: OperatorBranch,
  { sources, free }: SourceRow,
  sign: 1 | -1,
): Part {
  const ofConvolution = free && (branch.written(free, sign * scale).dataSync() as Float32Array);
  const ofProjection = branch.fixed?.map((value) => sign * value);
  return {
    sources: branch.written(sources, sign * scale),
    free:
      ofConvolution && ofProjection
        ? ofProjection.map((value, c) => value + ofConvolution[c])
        : (ofConvolution ?? ofProjection),
  };
}

function errorOf(first: Float32Array, second: Float32Array | undefined, output: Float32Array): number {
  const d = output.length;
  const sums = new Float64Array(d);
  for (let at = 0; at < first.length; at += d) for (let c = 0; c < d; c++) sums[c] += first[at + c];
  if (second) for (let at = 0; at < second.length; at += d) for (let c = 0; c < d; c++) sums[c] -= second[at + c];
  let [error, size] = [0, 0];
  for (let c = 0; c < d; c++) {
    error += (sums[c] - output[c]) ** 2;
    size += output[c] ** 2;
  }
  return Math.sqrt(size === 0 ? error : error / size);
}
