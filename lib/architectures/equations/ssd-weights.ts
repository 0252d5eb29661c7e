import type * as tf from '@tensorflow/tfjs';
import type { Weights } from '../weights';

/** The parameters of one state-space-dual layer; DiffS6Mamba2 shares some of them between its branches. */
export interface SsdWeights {
  readonly inProj: Weights;
  readonly conv: Weights;
  readonly dt_bias: tf.Tensor1D;
  readonly A_log: tf.Tensor1D;
  readonly D: tf.Tensor1D;
  /** Absent in mixers without a norm. */
  readonly norm?: tf.Tensor1D;
}

/** Those of a mixer that shares nothing. */
export const mamba2Weights = (w: Weights): SsdWeights => ({
  inProj: w.under('in_proj'),
  conv: w.under('conv1d'),
  dt_bias: w('dt_bias') as tf.Tensor1D,
  A_log: w('A_log') as tf.Tensor1D,
  D: w('D') as tf.Tensor1D,
  norm: w.has('norm.weight') ? (w('norm.weight') as tf.Tensor1D) : undefined,
});
