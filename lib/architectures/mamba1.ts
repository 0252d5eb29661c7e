import type * as tf from '@tensorflow/tfjs';
import { convolve, linear, splitLast } from './equations/nn';
import { mamba1BlockOfOneToken, mamba1OfOneToken } from './equations/one-token';
import { s6 } from './equations/s6';
import { s6Scan } from './equations/scans';
import { convolution, projection, selectiveScan, under } from './equations/tensors';
import type { Tap } from './tap';
import type { MixerConfig, PlainArchitecture, Shapes } from './types';
import type { Weights } from './weights';

/**
 * Mamba-1 mixer (Gu & Dao, arXiv 2312.00752; equations A1): u [B,L,d] → [B,L,d].
 *
 *     [x0 | z] = W_in u
 *     x = SiLU(conv(x0))
 *     y = S6(x)                    Δ = softplus(W_dt δ + b_dt), [δ | B | C] = W_x x
 *     out = W_out (y ⊙ SiLU(z))
 */
export function mamba1(u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  return tap.at('hook_out_proj', mamba1OfOneToken(u, w, tap) ?? mamba1InFull(u, w, config, tap));
}

/** The equations one by one. @param normed what is done to δ, B and C before they are used; nothing in Mamba-1 */
export function mamba1InFull(
  u: tf.Tensor3D,
  w: Weights,
  { E, N }: MixerConfig,
  tap: Tap,
  normed?: (value: tf.Tensor3D) => tf.Tensor3D,
): tf.Tensor3D {
  const [x0, z0] = splitLast(linear(u, w.under('in_proj')), [E, E]);
  const z = tap.at('hook_skip', z0);
  const x = tap.at('hook_ssm_input', convolve(tap.at('hook_in_proj', x0), w.under('conv1d'), tap));
  const scan = {
    xProj: w.under('x_proj'),
    dtProj: w.under('dt_proj'),
    A_log: w('A_log') as tf.Tensor2D,
    D: w('D') as tf.Tensor1D,
  };
  return linear(s6(x, z, scan, N, tap, normed), w.under('out_proj'));
}

export const mamba1Tensors = (m: MixerConfig): Shapes => [
  ...projection('in_proj', 2 * m.E, m.d, m.useBias),
  ...convolution(m.E, m),
  ...selectiveScan(m),
  ...projection('out_proj', m.d, m.E, m.useBias),
];

export const MAMBA1: PlainArchitecture = {
  label: 'Mamba',
  expand: 2,
  anatomy: { scans: [s6Scan('single', 'mixer')] },
  tensors: ({ mixer }) => under('mixer', mamba1Tensors(mixer)),
  forward: (u, w, { mixer }, tap) => mamba1(u, w.under('mixer'), mixer, tap),
  step: (h, w, _block, tap, epsilon) => mamba1BlockOfOneToken(h, w, tap, epsilon),
};
