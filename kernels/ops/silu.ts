import type * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { requireDtype } from './validate';

/**
 * SiLU(x) = x·σ(x), elementwise and differentiable; float32, any shape.
 *
 * @throws OperandError where x is not float32.
 */
export function silu<T extends tf.Tensor>(x: T): T {
  requireDtype('silu', 'x', x, 'float32');
  return runKernel('Silu', { x })[0] as T;
}

defineGradient('Silu', 'SiluGrad');
