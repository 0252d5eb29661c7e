import * as tf from '@tensorflow/tfjs';
import { type BlockConfig, SUBLN_EPSILON } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type Baseline, captureBlock } from './continuation';
import { scanNamesOf } from './scanNames';
import { sourceTerms, termNames, valuesIn, valuesOfParameter } from './sourceTerms';

/** What source tokens add to the residual stream at the token that is read, through one differential block. */
export interface BranchTerms {
  /** Through branch 1, and through −λ · branch 2 without its sign; each [L+1,d], the last row token-free. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** What the block added, [d]: Σ_j (first − second). */
  readonly output: Float32Array;
  /** λ, or its mean where it has one value per channel. */
  readonly lambda: number;
  /** ‖Σ_j (first − second) − output‖ / ‖output‖. */
  readonly reconstructionError: number;
}

/**
 * A differential block as the exact operator on its input (spec C4), split by branch and source token: both branches with
 * their own projections, λ, (1 − λ_init), the subln weight, and 1/rms of the difference as it was.
 *
 * Cost: the block itself, {@link sourceTerms} of both branches, and two products [L+1,E]·[E,d].
 */
export function branchTerms(model: Model, baseline: Baseline, layer: number): BranchTerms {
  const block = model.config.blocks[layer];
  const scans = scanNamesOf(layer, block);
  const at = (point: string) => `blocks.${layer}.hook_${point}`;
  const points = ['diff', 'lambda', 'out_proj'].map(at);
  const of = valuesIn(captureBlock(model, baseline, layer, [...new Set([...scans.flatMap(termNames), ...points])]));
  const terms = scans.map((names) => sourceTerms(model, block, names, of));
  const lambda = of(at('lambda')).slice();
  const [first, second] = tf.tidy(() => {
    const [one, two] = projected(model, layer, block, terms);
    const after = afterDifference(model, layer, block, of(at('diff')), baseline.L);
    const both = [after(one, true), after(tf.mul(two, tf.tensor1d(lambda)), false)];
    return both.map((each) => (each.dataSync() as Float32Array).slice());
  });
  const d = model.config.d;
  const output = of(at('out_proj')).slice((baseline.L - 1) * d);
  const mean = lambda.reduce((sum, value) => sum + value, 0) / lambda.length;
  return { first, second, output, lambda: mean, reconstructionError: errorOf(first, second, output) };
}

/** What is subtracted, [L+1,width of the difference] per branch: the terms through what each branch has of its own. */
function projected(
  model: Model,
  i: number,
  { kind, mixer }: BlockConfig,
  terms: readonly Float32Array[],
): tf.Tensor2D[] {
  const rows = terms.map((values) => tf.tensor2d(values, [values.length / mixer.E, mixer.E]));
  if (kind === 'diff_s6' || kind === 'diff_s6_mamba2') return rows;
  const prefix = `backbone.layers.${i}`;
  if (kind === 'diff_mamba2e') {
    const [low, high] = tf.split(outProjection(model, `${prefix}.mixer`, rows[0]), 2, 1) as tf.Tensor2D[];
    return [high, low];
  }
  return rows.map((each, k) => outProjection(model, `${prefix}.mixer_${k + 1}`, each));
}

/**
 * Everything after the subtraction, linear with 1/rms of the difference as it was. A bias after it belongs to neither branch;
 * it is counted where `withBias` is set, in the token-free row.
 */
function afterDifference(
  model: Model,
  i: number,
  { kind, lambdaInit = 0, subln }: BlockConfig,
  diff: Float32Array,
  L: number,
): (rows: tf.Tensor2D, withBias: boolean) => tf.Tensor2D {
  const width = diff.length / L;
  const prefix = `backbone.layers.${i}`;
  const scale = (rows: tf.Tensor2D): tf.Tensor2D => {
    const wide = kind === 'diff_mamba2e' ? (tf.concat([rows, rows], 1) as tf.Tensor2D) : rows;
    if (!subln) return wide.mul(1 - lambdaInit);
    const last = diff.subarray((L - 1) * width);
    const squares = last.reduce((sum, value) => sum + value * value, 0);
    const inverse = 1 / Math.sqrt(squares / width + SUBLN_EPSILON);
    const name = kind === 'diff_s6_mamba2' ? `${prefix}.mixer.subln.weight` : `${prefix}.subln.weight`;
    const weight = tf.tensor1d(valuesOfParameter(model, name) as Float32Array);
    return wide.mul(weight.mul(inverse * (1 - lambdaInit)));
  };
  if (kind !== 'diff_s6' && kind !== 'diff_s6_mamba2') return scale;
  return (rows, withBias) => outProjection(model, `${prefix}.mixer`, scale(rows), withBias);
}

/** rows · W_outᵀ; its bias, which no token brings, goes to the token-free row. */
function outProjection(model: Model, prefix: string, rows: tf.Tensor2D, withBias = true): tf.Tensor2D {
  const weight = model.parameters.get(`${prefix}.out_proj.weight`) as unknown as tf.Tensor2D;
  const y: tf.Tensor2D = tf.matMul(rows, weight, false, true);
  const constant = model.parameters.get(`${prefix}.out_proj.bias`) as unknown as tf.Tensor1D | undefined;
  if (!constant || !withBias) return y;
  const free = tf.oneHot(tf.tensor1d([rows.shape[0] - 1], 'int32'), rows.shape[0]).reshape([-1, 1]);
  return tf.add(y, tf.mul(free, constant));
}

function errorOf(first: Float32Array, second: Float32Array, output: Float32Array): number {
  const d = output.length;
  let [error, size] = [0, 0];
  for (let c = 0; c < d; c++) {
    let sum = 0;
    for (let at = c; at < first.length; at += d) sum += first[at] - second[at];
    error += (sum - output[c]) ** 2;
    size += output[c] ** 2;
  }
  return Math.sqrt(size === 0 ? error : error / size);
}
