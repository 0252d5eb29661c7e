import type * as tf from '@tensorflow/tfjs';
import { rmsNorm } from '@/kernels/ops';
import type { Tap } from '../tap';
import { type DifferentialBlock, SUBLN_EPSILON } from '../types';
import type { Weights } from '../weights';
import { lambdaOf } from './lambda';

/** branch 1 − λ · branch 2, seen by `hook_lambda` and `hook_diff`; the parameters of λ are read from `w`. */
export function difference<T extends tf.Tensor>(
  first: T,
  second: T,
  w: Weights,
  { lambda: form, lambdaInit }: DifferentialBlock,
  tap: Tap,
): T {
  const lambda = tap.at('hook_lambda', lambdaOf(form, lambdaInit, w));
  return tap.at('hook_diff', first.sub(second.mul(lambda)) as T);
}

/** (1 − λ_init) · RMS(δ; subln), or (1 − λ_init) · δ where the block has no subln (paper Eq. 21; equations A4, A5). */
export function scaledDifference<T extends tf.Tensor>(
  delta: T,
  w: Weights,
  { lambdaInit, subln }: DifferentialBlock,
  tap: Tap,
): T {
  const normed = subln
    ? tap.at('hook_subln', rmsNorm(delta, w('subln.weight') as tf.Tensor1D, { epsilon: SUBLN_EPSILON }) as T)
    : delta;
  return normed.mul(1 - lambdaInit) as T;
}
