import * as tf from '@tensorflow/tfjs';
import { type CrossMap, mapByHalves, tokensOf } from './attention-map';
import type { ComposedKernel, Operands } from './kernel';

/** Elements of the largest tensor that a group of channels may need. */
const BUDGET = 1 << 24;

/**
 * α of the S6 recurrence, reduced over channels. With a border r between source j and target i,
 * exp(A Σ_{j+1..i} Δ) = exp(A Σ_{j+1..r} Δ) · exp(A Σ_{r+1..i} Δ), so that (e, n) is one long inner dimension of a matrix
 * product; exponents are sums outward from the border, ≤ 0. Magnitudes need each channel's own map and are summed tile by
 * tile. Channels go in groups, so that memory is bounded.
 *
 * Floor: L²/2 products of length E·N; exponentials L·log₂L·E·N.
 */
export const s6Attention: ComposedKernel = (operands, { reduce, channel }) => {
  const { delta, A } = operands;
  const [L, E] = delta.shape as [number, number];
  const N = A.shape[1] as number;
  const single = reduce === 'channel';
  const first = single ? (channel as number) : 0;
  const count = single ? 1 : E;
  const perChannel = reduce === 'mean_abs' ? Math.max(L * N, (L * L) / 4) : L * N;
  const group = Math.min(count, Math.max(1, Math.floor(BUDGET / perChannel)));
  let sum: tf.Tensor = tf.zeros([L, L]);
  for (let e = first; e < first + count; e += group) {
    const width = Math.min(group, first + count - e);
    const before = sum;
    sum = tf.tidy(() => before.add(channelSum(channels(operands, e, width), reduce === 'mean_abs')));
    before.dispose();
  }
  return [single ? sum : sum.div(E)];
};

const channels = ({ delta, A, B, C }: Operands, first: number, count: number): Operands => ({
  delta: delta.slice([0, first], [-1, count]),
  A: A.slice([first, 0], [count, -1]),
  B,
  C,
});

/** Σ_e α_e or Σ_e |α_e|. */
function channelSum({ delta, A, B, C }: Operands, magnitudes: boolean): tf.Tensor {
  const weights = B.mul(C).sum(1, true).mul(delta);
  const diagonal = (magnitudes ? weights.abs() : weights).sum(1) as tf.Tensor1D;
  const decays = (exponents: tf.Tensor) => exponents.expandDims(3).mul(A).exp();
  const cross: CrossMap = (sources, tail, targets, head) => {
    const written = tokensOf(delta, sources).expandDims(3).mul(tokensOf(B, sources).expandDims(2));
    const left = decays(head).mul(tokensOf(C, targets).expandDims(2));
    const right = decays(tail).mul(written);
    if (!magnitudes) return tf.matMul(flat(left), flat(right), false, true);
    const perChannel = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1, 3]);
    return tf.matMul(perChannel(left), perChannel(right), false, true).abs().sum(1);
  };
  return mapByHalves(delta as tf.Tensor2D, diagonal, cross);
}

/** [blocks,h,E,N] as [blocks,h,E·N]. */
const flat = (x: tf.Tensor): tf.Tensor => {
  const [blocks, h, E, N] = x.shape as [number, number, number, number];
  return x.reshape([blocks, h, E * N]);
};
