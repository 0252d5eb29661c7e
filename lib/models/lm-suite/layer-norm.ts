import * as tf from '@tensorflow/tfjs';
import type { Weights } from '@/lib/architectures/weights';
import { EPSILON } from './config';

/** LayerNorm(x; weight, bias) = (x − mean) / sqrt(var + 1e-5) ⊙ weight + bias over the last axis, var biased. */
export function layerNorm<T extends tf.Tensor>(x: T, w: Weights): T {
  const { mean, variance } = tf.moments(x, -1, true);
  return x
    .sub(mean)
    .mul(tf.rsqrt(variance.add(EPSILON)))
    .mul(w('weight'))
    .add(w('bias')) as T;
}
