import type * as tf from '@tensorflow/tfjs';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Tap } from '../hooks';
import { convolve, linear, splitLast } from '../nn';
import type { Weights } from '../weights';
import { mamba1OfOneToken } from './one-token';
import { s6 } from './s6';

/**
 * Mamba-1 mixer (Gu & Dao, arXiv 2312.00752; spec A1): u [B,L,d] → [B,L,d].
 *
 *     [x0 | z] = W_in u
 *     x = SiLU(conv(x0))
 *     y = S6(x)                    Δ = softplus(W_dt δ + b_dt), [δ | B | C] = W_x x
 *     out = W_out (y ⊙ SiLU(z))
 */
export function mamba1(u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  return tap.at('hook_out_proj', mamba1OfOneToken(u, w, tap) ?? inFull(u, w, config, tap));
}

function inFull(u: tf.Tensor3D, w: Weights, { E, N }: MixerConfig, tap: Tap): tf.Tensor3D {
  const [x0, z0] = splitLast(linear(u, w.under('in_proj')), [E, E]);
  const z = tap.at('hook_skip', z0);
  const x = tap.at('hook_ssm_input', convolve(tap.at('hook_in_proj', x0), w.under('conv1d'), tap));
  const scan = {
    xProj: w.under('x_proj'),
    dtProj: w.under('dt_proj'),
    A_log: w('A_log') as tf.Tensor2D,
    D: w('D') as tf.Tensor1D,
  };
  return linear(s6(x, z, scan, N, tap), w.under('out_proj'));
}
