import * as tf from '@tensorflow/tfjs';
import { causalConv1d } from '@/kernels/ops';
import type { Tap } from './hooks';
import type { Weights } from './weights';

/** x W^T (+ bias): [B,L,in] → [B,L,out] with the weight stored [out,in], as PyTorch stores it. */
export function linear(x: tf.Tensor3D, w: Weights): tf.Tensor3D {
  const [B, L, width] = x.shape;
  const weight = w('weight') as tf.Tensor2D;
  const y = tf.matMul(x.reshape([B * L, width]), weight, false, true);
  return (w.has('bias') ? y.add(w('bias')) : y).reshape([B, L, weight.shape[0]]);
}

export const silu = <T extends tf.Tensor>(x: T): T => x.mul(x.sigmoid());

/** Splits the last axis of [B,L,sum] into tensors of the given widths. */
export const splitLast = (x: tf.Tensor3D, widths: number[]) => tf.split(x, widths, 2) as tf.Tensor3D[];

/** SiLU(conv(x)): causal, depthwise; fused unless somebody looks at the value in between. */
export function convolve(x: tf.Tensor3D, w: Weights, tap: Tap): tf.Tensor3D {
  const weight = w('weight') as tf.Tensor3D;
  const bias = w.has('bias') ? (w('bias') as tf.Tensor1D) : null;
  if (!tap.wants('hook_conv')) return causalConv1d(x, weight, bias, { activation: 'silu' });
  return silu(tap.at('hook_conv', causalConv1d(x, weight, bias)));
}
