import type * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { requireRank, requireShape } from './validate';

/**
 * Depthwise causal convolution with zero left padding (equations A1, step 2), and SiLU where asked:
 * c_t[e] = bias[e] + Σ_k weight[e,0,k] x_{t−K+1+k}[e]; weight[:,0,K−1] multiplies the current token.
 *
 * x and the result [B,L,E]; weight [E,1,K]; bias [E] or null. Differentiable in all inputs. Cost 2·B·L·E·K flops.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function causalConv1d(
  x: tf.Tensor3D,
  weight: tf.Tensor3D,
  bias: tf.Tensor1D | null,
  options: { readonly activation?: 'silu' } = {},
): tf.Tensor3D {
  const op = 'causalConv1d';
  const [, , E] = requireRank(op, 'x', x, 'B,L,E');
  const [, , K] = requireRank(op, 'weight', weight, 'E,1,K');
  requireShape(op, 'weight', weight, 'E,1,K', [E, 1, K]);
  if (bias) requireShape(op, 'bias', bias, 'E', [E]);
  const [y] = runKernel(
    'CausalConv1d',
    { x, weight, bias: bias ?? undefined },
    { silu: options.activation === 'silu' },
  );
  return y as tf.Tensor3D;
}

defineGradient('CausalConv1d', 'CausalConv1dGrad');
