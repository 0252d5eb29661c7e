import type * as tf from '@tensorflow/tfjs';
import type { BlockConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import type { Weights } from '../weights';
import { difference, scaledDifference } from './difference';
import { mamba1 } from './mamba1';

/**
 * Diff-Mamba over two Mamba-1 mixers (arXiv 2507.06204, Eq. 21; spec A4): u [B,L,d] → [B,L,d].
 *
 *     out = (1 − λ_init) · RMS(M₁(u) − λ · M₂(u); subln)
 */
export function diffMamba1(u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D {
  const y1 = mamba1(u, w.under('mixer_1'), block.mixer, tap.scope('mixer_1'));
  const y2 = mamba1(u, w.under('mixer_2'), block.mixer, tap.scope('mixer_2'));
  const delta = difference(y1, y2, w, block, tap);
  return tap.at('hook_out_proj', scaledDifference(delta, w, block, tap));
}
