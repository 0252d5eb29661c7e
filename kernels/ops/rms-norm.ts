import type * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { OperandError, requireDivisor, requireDtype, requireShape } from './validate';

export interface RmsNormOptions {
  readonly epsilon: number;
  /** Means are taken over each of this many equal slices of the last axis; default 1. */
  readonly groups?: number;
  /** Same shape as x; x · SiLU(gate) is what is normalised. */
  readonly gate?: tf.Tensor;
}

/**
 * RMS normalisation over the last axis (equations A2, step 5): u · weight / sqrt(mean(u²) + ε), where u = x, or
 * x · SiLU(gate). x and the result [...,E]; weight [E]. Differentiable in x, weight and gate.
 *
 * @throws OperandError where shapes or dtypes do not fit, or where `groups` does not divide E.
 */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, options: RmsNormOptions): T {
  const op = 'rmsNorm';
  const E = x.shape.at(-1);
  if (E === undefined) throw new OperandError(`${op}: x is a scalar; it must have the axes [...,E]`);
  requireDtype(op, 'x', x, 'float32');
  requireShape(op, 'weight', weight, 'E', [E]);
  const { epsilon, groups = 1, gate } = options;
  requireDivisor(op, 'groups', groups, E);
  if (gate) requireShape(op, 'gate', gate, '...,E', x.shape);
  const [y] = runKernel('RmsNorm', { x, weight, gate }, { epsilon, groups });
  return y as T;
}

defineGradient('RmsNorm', 'RmsNormGrad');
