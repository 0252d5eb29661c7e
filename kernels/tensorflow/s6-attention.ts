import * as tf from '@tensorflow/tfjs';
import { type Cross, mapByHalves, product } from './attention-map';
import type { ComposedKernel, Operands } from './kernel';

/** Elements of the largest tensor that a group of channels may need. */
const BUDGET = 1 << 22;

/**
 * α of the S6 recurrence, reduced over channels. With a border r between source j and target i,
 * exp(A Σ_{j+1..i} Δ) = exp(A Σ_{j+1..r} Δ) · exp(A Σ_{r+1..i} Δ), so that (e, n) is one long inner dimension of a matrix
 * product; both factors are products of decays outward from the border. Magnitudes need each channel's own map and are
 * summed pair of blocks by pair of blocks. Channels go in groups, so that memory is bounded.
 *
 * Floor: L²/2 products of length E·N.
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
  const [L, E] = delta.shape as [number, number];
  const weights = B.mul(C).sum(1, true).mul(delta);
  const diagonal = (magnitudes ? weights.abs() : weights).sum(1);
  const decay = delta.expandDims(2).mul(A).exp();
  const read = C.expandDims(1).tile([1, E, 1]);
  const written = delta.expandDims(2).mul(B.expandDims(1));
  const flat = (x: tf.Tensor) => x.reshape([L, -1]);
  const cross = magnitudes ? magnitudesOf(E) : product;
  return mapByHalves(flat(decay), flat(read), flat(written), diagonal, cross);
}

/** Σ_e |Σ_n read·written|. */
const magnitudesOf =
  (E: number): Cross =>
  (read, written) => {
    const perChannel = (x: tf.Tensor) => {
      const [blocks, h, c] = x.shape as [number, number, number];
      return tf.transpose(x.reshape([blocks, h, E, c / E]), [0, 2, 1, 3]);
    };
    return product(perChannel(read), perChannel(written)).abs().sum(1);
  };
