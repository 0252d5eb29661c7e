import * as tf from '@tensorflow/tfjs';
import type { LambdaForm } from '../types';
import type { Weights } from '../weights';

/**
 * λ of a differential block (equations A4, A5): a scalar, or [channels] for `sigmoid_channel`.
 *
 *     sigmoid_*    σ(λ_q1, summed where it is a vector that stands for one number) + λ_init
 *     exp          exp(λ_q1·λ_k1) − exp(λ_q2·λ_k2) + λ_init
 *     constant     the constant itself
 */
export function lambdaOf(form: LambdaForm, lambdaInit: number, w: Weights): tf.Tensor {
  if (typeof form === 'object') return tf.scalar(form.constant);
  if (form === 'exp') {
    const product = (k: 1 | 2) => tf.exp(tf.sum(w(`lambda_q${k}`).mul(w(`lambda_k${k}`))));
    return product(1).sub(product(2)).add(lambdaInit);
  }
  const q = w('lambda_q1');
  return tf.sigmoid(form === 'sigmoid_channel' ? q : tf.sum(q)).add(lambdaInit);
}
