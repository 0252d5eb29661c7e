import * as tf from '@tensorflow/tfjs';
import type { ComposedKernel } from './kernel';

/** SiLU(x) = x·σ(x). Floor: 8 bytes of traffic an element; takes two passes. */
export const silu: ComposedKernel = ({ x }) => [siluOf(x)];

/** dx = dy · SiLU'(x). Floor: 12 bytes of traffic an element. */
export const siluGrad: ComposedKernel = ({ x, dy }) => [dy.mul(siluSlope(x))];

export const siluOf = <T extends tf.Tensor>(x: T): T => x.mul(tf.sigmoid(x)) as T;

/** SiLU'(x) = σ(x)·(1 + x·(1 − σ(x))). */
export function siluSlope<T extends tf.Tensor>(x: T): T {
  const s = tf.sigmoid(x);
  return s.mul(x.mul(tf.sub(1, s)).add(1)) as T;
}
