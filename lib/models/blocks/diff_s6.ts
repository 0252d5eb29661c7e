import type * as tf from '@tensorflow/tfjs';
import type { BlockConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import { convolve, linear, splitLast } from '../nn';
import type { Weights } from '../weights';
import { difference } from './difference';
import { type S6Weights, s6 } from './s6';

/**
 * Diff-S6: one Mamba-1 block with two selective scans, λ ≡ 1 (arXiv 2507.06204, Eq. 14; spec A4).
 * Projections, convolution and gate are shared: out = W_out (S6₁(x) − S6₂(x)), both already gated.
 */
export function diffS6(u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D {
  const { E, N } = block.mixer;
  const mixer = w.under('mixer');
  const [x0, z0] = splitLast(linear(u, mixer.under('in_proj')), [E, E]);
  const z = tap.at('hook_skip', z0);
  const x = tap.at('hook_ssm_input', convolve(tap.at('hook_in_proj', x0), mixer.under('conv1d'), tap));
  const y1 = s6(x, z, branch(mixer, 1), N, tap.scope('mixer_1'));
  const y2 = s6(x, z, branch(mixer, 2), N, tap.scope('mixer_2'));
  return tap.at('hook_out_proj', linear(difference(y1, y2, w, block, tap), mixer.under('out_proj')));
}

const branch = (w: Weights, k: 1 | 2): S6Weights => ({
  xProj: w.under(`x${k}_proj`),
  dtProj: w.under(`dt${k}_proj`),
  A_log: w(`A${k}_log`) as tf.Tensor2D,
  D: w(`D${k}`) as tf.Tensor1D,
});
