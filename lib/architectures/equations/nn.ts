import * as tf from '@tensorflow/tfjs';
import { causalConv1d, rmsNorm } from '@/kernels/ops';
import type { Memory, Tap } from '../tap';
import type { Weights } from '../weights';

/** x W^T (+ bias): [B,L,in] → [B,L,out] with the weight stored [out,in], as PyTorch stores it. */
export function linear(x: tf.Tensor3D, w: Weights): tf.Tensor3D {
  const [B, L, width] = x.shape;
  const weight = w('weight') as tf.Tensor2D;
  const y = tf.matMul(x.reshape([B * L, width]), weight, false, true);
  return (w.has('bias') ? y.add(w('bias')) : y).reshape([B, L, weight.shape[0]]);
}

/** x / sqrt(mean(x²) + ε) over the last axis, without a weight. */
export const rootMeanSquared = (x: tf.Tensor3D, epsilon: number): tf.Tensor3D =>
  rmsNorm(x, tf.ones([x.shape[2]]), { epsilon });

/** m · x. */
export const times = <T extends tf.Tensor>(x: T, m: number): T => (m === 1 ? x : x.mul(m));

export const silu = <T extends tf.Tensor>(x: T): T => x.mul(x.sigmoid());

/** Splits the last axis of [B,L,sum] into tensors of the given widths. */
export const splitLast = (x: tf.Tensor3D, widths: number[]) => tf.split(x, widths, 2) as tf.Tensor3D[];

/** SiLU(conv(x)): causal, depthwise; fused unless somebody looks at the value in between. */
export function convolve(x: tf.Tensor3D, w: Weights, tap: Tap): tf.Tensor3D {
  const weight = w('weight') as tf.Tensor3D;
  const bias = w.has('bias') ? (w('bias') as tf.Tensor1D) : null;
  const past = tap.memory && pastInputs(x, weight.shape[2] - 1, tap.memory);
  const input = past ? tf.concat([past, x], 1) : x;
  const current = (y: tf.Tensor3D) => (past ? y.slice([0, past.shape[1], 0]) : y);
  if (!tap.wants('hook_conv')) return current(causalConv1d(input, weight, bias, { activation: 'silu' }));
  return silu(tap.at('hook_conv', current(causalConv1d(input, weight, bias))));
}

/** The last `width` inputs before this call, zeros at the start of the text; remembers those before the next one. */
function pastInputs(x: tf.Tensor3D, width: number, memory: Memory): tf.Tensor3D {
  const [B, L, E] = x.shape;
  const past = (memory.recall('conv') ?? tf.zeros([B, width, E])) as tf.Tensor3D;
  memory.store('conv', tf.concat([past, x], 1).slice([0, L, 0], [-1, width, -1]));
  return past;
}
