import * as tf from '@tensorflow/tfjs';
import type { BlockConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import { linear, splitLast } from '../nn';
import type { Weights } from '../weights';
import { difference, scaledDifference } from './difference';
import { ssd } from './ssd';
import { mamba2Weights } from './ssd-weights';

/**
 * DiffMamba2E: one Mamba-2 mixer whose output o [B,L,d] is differenced with itself (spec A4).
 *
 *     δ = o[d/2:] − λ · o[:d/2],   out = (1 − λ_init) · RMS([δ | δ]; subln)
 */
export function diffMamba2e(u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D {
  const mixer = w.under('mixer');
  const o = tap.at('hook_mixer_out', linear(ssd(u, mamba2Weights(mixer), block.mixer, tap), mixer.under('out_proj')));
  const [low, high] = splitLast(o, [block.mixer.d / 2, block.mixer.d / 2]);
  const delta = difference(high, low, w, block, tap);
  return tap.at('hook_out_proj', scaledDifference(tf.concat([delta, delta], 2), w, block, tap));
}
