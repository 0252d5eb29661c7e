import * as tf from '@tensorflow/tfjs';
import { scansAt } from '@/lib/architectures/places';
import { isDifferential } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { valuesOf } from '../blockForm';
import { type Operator, type OperatorBranch, operatorOf, type ScanParameters } from '../operator';
import { tidied } from '../tidied';
import { type Baseline, captureBlock } from './continuation';
import { sourceTerms, termNames, valuesIn } from './sourceTerms';

/** What source tokens add to the residual stream at the token that is read, through one block. */
export interface BranchTerms {
  /** Through a plain block, or through branch 1 of a differential one; [L+1,d], the last row token-free. */
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

/**
 * A block as the exact operator on its input (equations C4), split by branch and source token: the branches of a
 * difference with their own projections, λ, (1 − λ_init), the subln weight, and 1/rms of the difference as it was.
 *
 * Cost: the block itself, {@link sourceTerms} of every scan, and a product [L+1,E]·[E,d] a branch.
 */
export function branchTerms(model: Model, { streams, L }: Pick<Baseline, 'streams' | 'L'>, layer: number): BranchTerms {
  const block = model.config.blocks[layer];
  const scans = scansAt(layer, block);
  const [diff, lambda, out] = ['diff', 'lambda', 'out_proj'].map((point) => `blocks.${layer}.hook_${point}`);
  const subtracts = isDifferential(block);
  const names = new Set([...scans.flatMap(termNames), out, ...(subtracts ? [diff, lambda] : [])]);
  const of = valuesIn(captureBlock(model, { streams, L }, layer, [...names]));
  const last = (name: string) => of(name).slice((of(name).length / L) * (L - 1));
  const output = last(out);
  const lambdas = subtracts ? of(lambda) : new Float32Array(1);
  const operator = operatorOf(model, {
    index: layer,
    lambda: lambdas.length === 1 ? lambdas[0] : lambdas,
    diff: subtracts ? last(diff) : undefined,
    out: output,
  });
  const terms = new Map(
    scans.map((scan) => {
      const parameters = operator.scans.get(scan.name) as ScanParameters;
      return [scan.name, sourceTerms(block.mixer, scan, parameters, of)];
    }),
  );
  const [first, second] = operator.branches.map((branch, k) =>
    written(operator, branch, terms.get(branch.scan) as Float32Array, k === 0 ? 1 : -1),
  );
  const mean = lambdas.reduce((sum, value) => sum + value, 0) / lambdas.length;
  return { first, second, output, lambda: mean, reconstructionError: errorOf(first, second, output) };
}

/** What the terms [L+1,E] of a branch's scan add to the residual stream through it [L+1,d]; its biases go to the last row. */
function written(
  { d, scale: [scale] }: Operator,
  branch: OperatorBranch,
  terms: Float32Array,
  sign: 1 | -1,
): Float32Array {
  const part = branch.part();
  const E = part.length / d;
  const rows = tidied(() => {
    const through = tf.matMul(tf.tensor2d(terms, [terms.length / E, E]), tf.tensor2d(part, [d, E]), false, true);
    return valuesOf(through.mul(sign * scale));
  });
  const free = rows.length - d;
  branch.fixed?.forEach((value, c) => {
    rows[free + c] += sign * value;
  });
  return rows;
}

function errorOf(first: Float32Array, second: Float32Array | undefined, output: Float32Array): number {
  const d = output.length;
  let [error, size] = [0, 0];
  for (let c = 0; c < d; c++) {
    let sum = 0;
    for (let at = c; at < first.length; at += d) sum += first[at] - (second?.[at] ?? 0);
    error += (sum - output[c]) ** 2;
    size += output[c] ** 2;
  }
  return Math.sqrt(size === 0 ? error : error / size);
}
