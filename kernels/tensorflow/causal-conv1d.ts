import * as tf from '@tensorflow/tfjs';
import { type ComposedKernel, type Operands, presentGradients } from './kernel';
import { siluOf, siluSlope } from './silu';

/** Causal depthwise convolution by the device's own depthwise kernel. Floor: 8 bytes of traffic an element. */
export const causalConv1d: ComposedKernel = (operands, { silu }) => {
  const c = preactivation(operands);
  return [silu ? siluOf(c) : c];
};

/** The gradients of `kernels/reference/causal-conv1d.ts`. Floor: 16 bytes of traffic an element, and K dot products. */
export const causalConv1dGrad: ComposedKernel = (operands, { silu }) => {
  const { x, weight, dy } = operands;
  const [, L] = x.shape;
  const K = weight.shape[2] as number;
  const dc = silu ? dy.mul(siluSlope(preactivation(operands))) : dy;
  const past = padTime(x, K - 1, 0);
  const taps = Array.from({ length: K }, (_, k) => dc.mul(past.slice([0, k, 0], [-1, L, -1])).sum([0, 1]));
  const gradients = {
    x: depthwise(padTime(dc, 0, K - 1), tf.reverse(weight, 2)),
    weight: tf.stack(taps, 1).reshape(weight.shape),
    bias: operands.bias && dc.sum([0, 1]),
  };
  return presentGradients(operands, gradients, ['x', 'weight', 'bias']);
};

function preactivation({ x, weight, bias }: Operands): tf.Tensor {
  const c = depthwise(padTime(x, (weight.shape[2] as number) - 1, 0), weight);
  return bias ? c.add(bias) : c;
}

const padTime = (x: tf.Tensor, before: number, after: number): tf.Tensor =>
  before + after > 0
    ? tf.pad(x, [
        [0, 0],
        [before, after],
        [0, 0],
      ])
    : x;

/** y_t[e] = Σ_k weight[e,0,k] x_{t+k}[e] for x [B,L+K−1,E], weight [E,1,K]: y [B,L,E]. */
function depthwise(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  const [B, length, E] = x.shape;
  const K = weight.shape[2] as number;
  const image = x.reshape([B, 1, length, E]) as tf.Tensor4D;
  const filter = tf.transpose(weight, [1, 2, 0]).reshape([1, K, E, 1]) as tf.Tensor4D;
  return tf.depthwiseConv2d(image, filter, 1, 'valid').reshape([B, length - K + 1, E]);
}
