import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { NOTHING, type Without } from './blockFold';
import { type AttentionMap, type Reduction, requireIndex } from './reductions';
import type { AttentionInputs } from './s6Inputs';
import { tidied } from './tidied';

/**
 * Softmax weights of a block's attention, P_h[i,j] of query i and key j: of one head, of the head that a channel of z belongs to,
 * or of all heads. They have no sign, so `mean_abs` is `mean`.
 *
 * Cost: O(H·L²·D). Memory: the weights of one head.
 * @throws InputError where there is no such channel or head.
 */
export function softmaxMap(inputs: AttentionInputs, reduction: Reduction): AttentionMap {
  const { L, H, D } = inputs;
  const heads = headsOf(inputs, reduction);
  const map = new Float32Array(L * L);
  let [error, size] = [0, 0];
  for (const h of heads) {
    const { weights, off, norm } = tidied(() => {
      const P = headWeights(inputs, h);
      const expected = tf.tensor2d(inputs.z, [L, H * D]).slice([0, h * D], [-1, D]);
      const [off, norm] = [tf.matMul(P, headValues(inputs, h)).sub(expected), expected].map((each) =>
        valuesOf(tf.sum(tf.square(each))),
      );
      return { weights: valuesOf(P), off: off[0], norm: norm[0] };
    });
    for (let k = 0; k < map.length; k++)
      map[k] = reduction.how === 'max' ? Math.max(map[k], weights[k]) : map[k] + weights[k] / heads.length;
    error += off;
    size += norm;
  }
  return {
    map,
    L,
    reconstructionError: Math.sqrt(size === 0 ? error : error / size),
    convention: `softmax weights of attention, ${conventionOf(inputs, reduction)}`,
    magnitude: true,
  };
}

/**
 * The whole-block form of softmax attention, whose inner channels are read by their head's weights alone: what maps v to the input
 * of the output projection.
 * @throws InputError where parts are to be left out, of which attention has none
 */
export function attentionBlockForm(
  inputs: AttentionInputs,
  reduction: Reduction,
  without: Without = NOTHING,
): AttentionMap {
  if (without.size > 0)
    throw new InputError(
      `Attention has no ${[...without].join(', no ')} to be left out: look at the form block with all of its parts.`,
    );
  const map = softmaxMap(inputs, reduction);
  return { ...map, convention: `whole-block form of attention, v to the output projection: ${map.convention}` };
}

function headsOf({ H, D }: AttentionInputs, reduction: Reduction): number[] {
  if (reduction.how === 'channel') requireIndex('channel', reduction.index, H * D);
  if (reduction.how === 'head') requireIndex('head', reduction.index, H);
  if (reduction.how === 'channel') return [Math.floor(reduction.index / D)];
  return reduction.how === 'head' ? [reduction.index] : Array.from({ length: H }, (_, h) => h);
}

function conventionOf({ H, D }: AttentionInputs, reduction: Reduction): string {
  if (reduction.how === 'head') return `head ${reduction.index}`;
  if (reduction.how === 'channel') return `channel ${reduction.index}, of head ${Math.floor(reduction.index / D)}`;
  return `${reduction.how === 'max' ? 'largest' : 'mean'} over ${H} heads`;
}

/** P_h [L,L]; call it inside `tf.tidy`. */
export function headWeights(inputs: AttentionInputs, h: number): tf.Tensor2D {
  return tf.softmax(scoresOf(inputs, h));
}

/** v of the key head of query head h [L,D]. */
export function headValues({ v, L, H, KV, D }: AttentionInputs, h: number): tf.Tensor2D {
  return tf.tensor2d(v, [L, KV * D]).slice([0, Math.floor(h / (H / KV)) * D], [-1, D]);
}

/** scale · q_h k_gᵀ, far below everything for j > i. */
function scoresOf({ q, k, L, H, KV, D, scale }: AttentionInputs, h: number): tf.Tensor2D {
  const query = tf.tensor2d(q, [L, H * D]).slice([0, h * D], [-1, D]);
  const key = tf.tensor2d(k, [L, KV * D]).slice([0, Math.floor(h / (H / KV)) * D], [-1, D]);
  const later = new Float32Array(L * L);
  for (let i = 0; i < L; i++) later.fill(-1e30, i * L + i + 1, (i + 1) * L);
  return tf
    .matMul(query, key, false, true)
    .mul<tf.Tensor2D>(scale)
    .add(tf.tensor2d(later, [L, L]));
}

/** ln Σ_j exp(score) of every head and query [H,L]: with it, weights can be made for some sources at a time. */
export function normalisersOf(inputs: AttentionInputs): Float32Array {
  const found = new Float32Array(inputs.H * inputs.L);
  for (let h = 0; h < inputs.H; h++)
    found.set(
      tidied(() => valuesOf(tf.logSumExp(scoresOf(inputs, h), 1))),
      h * inputs.L,
    );
  return found;
}

/**
 * P_h[i,j] v_g(h)[j] for sources j of a strip, by channel of z: [H·D, L − first, count], zero for j > i; call it inside
 * `tf.tidy`. Memory: the strip of every channel.
 */
export function weightedColumns(
  { q, k, v, L, H, KV, D, scale }: AttentionInputs,
  normalisers: Float32Array,
  { first, count }: { readonly first: number; readonly count: number },
): tf.Tensor3D {
  const rows = L - first;
  const strip = (values: Float32Array) =>
    tf.tensor3d(values, [L, KV, D]).slice([first, 0, 0], [count, -1, -1]).transpose([1, 0, 2]);
  const queries = tf
    .tensor3d(q, [L, H, D])
    .slice([first, 0, 0], [rows, -1, -1])
    .transpose([1, 0, 2])
    .reshape([KV, (H / KV) * rows, D]);
  const scores = tf.matMul(queries, strip(k), false, true).mul(scale).reshape([H, rows, count]);
  const sums = tf.tensor2d(normalisers, [H, L]).slice([0, first], [-1, rows]).expandDims(2);
  const causal = Float32Array.from({ length: rows * count }, (_, at) => (at % count <= Math.floor(at / count) ? 1 : 0));
  // A later source's score may be of any size; it is taken out before the exponential.
  const mask = tf.tensor3d(causal, [1, rows, count]);
  const weights = tf
    .exp(scores.sub(sums).mul(mask))
    .mul(mask)
    .reshape([KV, H / KV, 1, rows, count]);
  const values = strip(v).transpose([0, 2, 1]).reshape([KV, 1, D, 1, count]);
  return weights.mul(values).reshape([H * D, rows, count]);
}

/** The result in memory of its own: a device may reuse what `dataSync` returns. */
const valuesOf = (tensor: tf.Tensor): Float32Array => (tensor.dataSync() as Float32Array).slice();
