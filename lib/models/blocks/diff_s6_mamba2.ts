import type * as tf from '@tensorflow/tfjs';
import type { BlockConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import { linear } from '../nn';
import type { Weights } from '../weights';
import { difference, scaledDifference } from './difference';
import { ssd } from './ssd';
import type { SsdWeights } from './ssd-weights';

/**
 * DiffS6Mamba2, the paper's Diff-S6 (spec A4): two SSD branches with their own input projections that
 * share convolution, gated norm and output projection.
 *
 *     out = W_out ((1 − λ_init) · RMS(SSD₁(u) − λ · SSD₂(u); subln)),   subln of width E
 */
export function diffS6Mamba2(u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D {
  const mixer = w.under('mixer');
  const y1 = ssd(u, branch(mixer, 1), block.mixer, tap.scope('mixer_1'));
  const y2 = ssd(u, branch(mixer, 2), block.mixer, tap.scope('mixer_2'));
  const delta = difference(y1, y2, mixer, block, tap);
  return tap.at('hook_out_proj', linear(scaledDifference(delta, mixer, block, tap), mixer.under('out_proj')));
}

const branch = (w: Weights, k: 1 | 2): SsdWeights => ({
  inProj: w.under(`in_proj${k}`),
  conv: w.under('conv1d'),
  dt_bias: w(`dt${k}_bias`) as tf.Tensor1D,
  A_log: w(`A${k}_log`) as tf.Tensor1D,
  D: w(`D${k}`) as tf.Tensor1D,
  norm: w('norm.weight') as tf.Tensor1D,
});
