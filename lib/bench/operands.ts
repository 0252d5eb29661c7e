import * as tf from '@tensorflow/tfjs';
import { Random } from '@/lib/random';

/** Runs an operation to its end and drops what it gave. One number is read: the memory of what is read whole is not used again. */
export function finish(compute: () => tf.Tensor): void {
  const result = tf.tidy(() => compute().reshape([-1]).slice(0, 1));
  result.dataSync();
  result.dispose();
}

/** As `tf.tidy`, for results that are not tensors. */
export function scoped<T>(work: () => T): T {
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
  }
}

/** Random values are drawn once for so many elements and then repeated: drawing 10⁸ of them would outlast the benchmark. */
const PERIOD = 65521;

/** Values between low and high, the same in every process. */
export function values(shape: readonly number[], low = -1, high = 1, seed = 7): Float32Array {
  const random = new Random(seed);
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const drawn = Math.min(PERIOD, data.length);
  for (let k = 0; k < drawn; k++) data[k] = random.uniform(low, high);
  for (let filled = drawn; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return data;
}

export const tensor = <R extends tf.Rank>(shape: tf.ShapeMap[R], low?: number, high?: number, seed?: number) =>
  tf.tensor<R>(values(shape as number[], low, high, seed), shape);

/** Time steps as trained models have them: log-uniform in [1e-3, 0.1]. */
export function timeSteps<R extends tf.Rank>(shape: tf.ShapeMap[R]) {
  return tf.tensor<R>(values(shape as number[], Math.log(1e-3), Math.log(0.1)).map(Math.exp), shape);
}
