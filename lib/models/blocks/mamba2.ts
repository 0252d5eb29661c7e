import type * as tf from '@tensorflow/tfjs';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import { linear } from '../nn';
import type { Weights } from '../weights';
import { ssdOfOneToken } from './one-token';
import { ssd } from './ssd';
import { mamba2Weights } from './ssd-weights';

/** Mamba-2 mixer (Dao & Gu, arXiv 2405.21060; spec A2): u [B,L,d] → W_out SSD(u) [B,L,d]. */
export function mamba2(u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  const [weights, outProj] = [mamba2Weights(w), w.under('out_proj')];
  const out = ssdOfOneToken(u, weights, config, tap, outProj) ?? linear(ssd(u, weights, config, tap), outProj);
  return tap.at('hook_out_proj', out);
}
