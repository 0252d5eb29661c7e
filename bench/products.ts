import * as tf from '@tensorflow/tfjs';
import { medianMs } from './measure';
import { finish, scoped, tensor } from './operands';

/** Milliseconds of one product [m,k] × [n,k]ᵀ. */
export function productMs(m: number, k: number, n: number): number {
  return scoped(() => {
    const a = tensor<tf.Rank.R2>([m, k]);
    const b = tensor<tf.Rank.R2>([n, k]);
    return medianMs(() => finish(() => tf.matMul(a, b, false, true)));
  });
}
