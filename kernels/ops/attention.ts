import type * as tf from '@tensorflow/tfjs';
import type { ChannelReduction } from '../reference/s6-attention';
import type { HeadReduction } from '../reference/ssd-attention';
import { runKernel } from './registry';
import { requireDivisor, requireIndex, requireRank, requireShape } from './validate';

export type { ChannelReduction, HeadReduction };

/** Inputs of {@link s6Attention}, of one sequence; all float32, delta after softplus. */
export interface S6AttentionTensors {
  readonly delta: tf.Tensor2D;
  readonly A: tf.Tensor2D;
  readonly B: tf.Tensor2D;
  readonly C: tf.Tensor2D;
}

/** Inputs of {@link ssdAttention}, of one sequence; all float32, delta after softplus and clamp. */
export interface SsdAttentionTensors {
  readonly delta: tf.Tensor2D;
  readonly A: tf.Tensor1D;
  readonly B: tf.Tensor3D;
  readonly C: tf.Tensor3D;
}

/**
 * Implicit attention of the S6 recurrence (equations C1): for target i and source j ≤ i
 *
 *     α_e[i,j] = Δ_j[e] Σ_n C_i[n] B_j[n] exp(A[e,n] Σ_{k=j+1..i} Δ_k[e])
 *
 * reduced over channels to [L,L]; zero above the diagonal, the D skip left out. delta [L,E]; A [E,N]; B, C [L,N]. Never
 * holds an E×L×L buffer. No gradient.
 *
 * @throws OperandError where shapes, dtypes or the channel do not fit.
 */
export function s6Attention(inputs: S6AttentionTensors, options: { readonly reduce: ChannelReduction }): tf.Tensor2D {
  const op = 's6Attention';
  const [L, E] = requireRank(op, 'delta', inputs.delta, 'L,E');
  const N = requireRank(op, 'A', inputs.A, 'E,N')[1];
  requireShape(op, 'A', inputs.A, 'E,N', [E, N]);
  requireShape(op, 'B', inputs.B, 'L,N', [L, N]);
  requireShape(op, 'C', inputs.C, 'L,N', [L, N]);
  const { reduce } = options;
  const channel = typeof reduce === 'object' ? reduce.channel : 0;
  requireIndex(op, 'channel', channel, E);
  const { delta, A, B, C } = inputs;
  const attributes = { reduce: typeof reduce === 'object' ? 'channel' : reduce, channel };
  return runKernel('S6Attention', { delta, A, B, C }, attributes)[0] as tf.Tensor2D;
}

/**
 * Implicit attention of the SSD recurrence (equations C3): for target i, source j ≤ i and head h of group g =
 * floor(h/(H/G))
 *
 *     α_h[i,j] = Δ_j[h] (C_i[g]·B_j[g]) exp(A_h Σ_{k=j+1..i} Δ_k[h])
 *
 * reduced over heads to [L,L]; zero above the diagonal, the D skip left out. delta [L,H]; A [H]; B, C [L,G,N]. No gradient.
 *
 * @throws OperandError where shapes, dtypes or the head do not fit.
 */
export function ssdAttention(inputs: SsdAttentionTensors, options: { readonly reduce: HeadReduction }): tf.Tensor2D {
  const op = 'ssdAttention';
  const [L, H] = requireRank(op, 'delta', inputs.delta, 'L,H');
  const [, G, N] = requireRank(op, 'B', inputs.B, 'L,G,N');
  requireShape(op, 'A', inputs.A, 'H', [H]);
  requireShape(op, 'B', inputs.B, 'L,G,N', [L, G, N]);
  requireShape(op, 'C', inputs.C, 'L,G,N', [L, G, N]);
  requireDivisor(op, 'G', G, H);
  const { reduce } = options;
  const head = typeof reduce === 'object' ? reduce.head : 0;
  requireIndex(op, 'head', head, H);
  const { delta, A, B, C } = inputs;
  const attributes = { reduce: typeof reduce === 'object' ? 'head' : reduce, head };
  return runKernel('SsdAttention', { delta, A, B, C }, attributes)[0] as tf.Tensor2D;
}
