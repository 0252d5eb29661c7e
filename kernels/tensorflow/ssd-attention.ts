import * as tf from '@tensorflow/tfjs';
import { mapByHalves, product } from './attention-map';
import type { ComposedKernel } from './kernel';

/**
 * α of the SSD recurrence, reduced over heads: in each group, C_i·B_j times the sum over its heads of decays, which is a
 * map of its own by halves (see `s6-attention.ts`). Decays and Δ are not negative, so a magnitude
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
    const decays = decaySum(delta.slice([0, first], [-1, count]), A.slice([first], [count]));
    const [b, c] = [B, C].map((x) => x.slice([0, g, 0], [-1, 1, -1]).squeeze<tf.Tensor2D>([1]));
    const products = tf.matMul(c, b, false, true);
    return decays.mul(reduce === 'mean_abs' ? products.abs() : products);
  });
  return [single ? maps[0] : tf.addN(maps).div(H)];
};

/** Σ_h Δ_j exp(A_h Σ_{k=j+1..i} Δ_k) over the heads of delta [L,heads]: [L,L]. */
function decaySum(delta: tf.Tensor, A: tf.Tensor): tf.Tensor {
  return mapByHalves(delta.mul(A).exp(), tf.onesLike(delta), delta, delta.sum(1), product);
}
