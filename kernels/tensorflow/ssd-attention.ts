import * as tf from '@tensorflow/tfjs';
import { type CrossMap, mapByHalves, tokensOf } from './attention-map';
import type { ComposedKernel } from './kernel';

/**
 * α of the SSD recurrence, reduced over heads: in each group, C_i·B_j times the sum over its heads of decays, which is a
 * matrix product with the heads as inner dimension (see `s6-attention.ts`). Decays and Δ are not negative, so a magnitude
 * is that of C_i·B_j.
 *
 * Floor: L²/2 products of length G·N + H.
 */
export const ssdAttention: ComposedKernel = ({ delta, A, B, C }, { reduce, head }) => {
  const H = delta.shape[1] as number;
  const G = B.shape[1] as number;
  const R = H / G;
  const single = reduce === 'head';
  const groups = single ? [Math.floor((head as number) / R)] : Array.from({ length: G }, (_, g) => g);
  const maps = groups.map((g) => {
    const [first, count] = single ? [head as number, 1] : [g * R, R];
    const heads = { delta: delta.slice([0, first], [-1, count]), A: A.slice([first], [count]) };
    const [b, c] = [B, C].map((x) => x.slice([0, g, 0], [-1, 1, -1]).squeeze([1]));
    return groupSum(heads.delta as tf.Tensor2D, heads.A, b, c, reduce === 'mean_abs');
  });
  return [single ? maps[0] : tf.addN(maps).div(H)];
};

function groupSum(delta: tf.Tensor2D, A: tf.Tensor, B: tf.Tensor, C: tf.Tensor, magnitudes: boolean): tf.Tensor {
  const sized = (products: tf.Tensor) => (magnitudes ? products.abs() : products);
  const diagonal = sized(B.mul(C).sum(1)).mul(delta.sum(1)) as tf.Tensor1D;
  const cross: CrossMap = (sources, tail, targets, head) => {
    const written = tail.mul(A).exp().mul(tokensOf(delta, sources));
    const decays = tf.matMul(head.mul(A).exp(), written, false, true);
    return sized(tf.matMul(tokensOf(C, targets), tokensOf(B, sources), false, true)).mul(decays);
  };
  return mapByHalves(delta, diagonal, cross);
}
