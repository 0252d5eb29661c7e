import * as tf from '@tensorflow/tfjs';

/**
 * [n,n] with 1 where `holds(row, column)`. A product with such a matrix is a sum of chosen terms: unlike a difference of
 * cumulative sums it loses nothing where the terms have one sign, and devices are faster at it than at cumsum.
 */
export function indicator(n: number, holds: (row: number, column: number) => boolean): tf.Tensor2D {
  const values = Float32Array.from({ length: n * n }, (_, i) => (holds(Math.floor(i / n), i % n) ? 1 : 0));
  return tf.tensor2d(values, [n, n]);
}

/** x [...,n] times the matrix [n,n]. */
export const times = (x: tf.Tensor, matrix: tf.Tensor2D): tf.Tensor =>
  tf.matMul(x.reshape([-1, matrix.shape[0]]), matrix).reshape(x.shape);
