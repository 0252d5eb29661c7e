import type * as tf from '@tensorflow/tfjs';
import { hasS6Mixer, hasS6MixerWithState, s6Mixer, s6MixerWithState } from '@/kernels/ops';
import { convolve, linear, splitLast } from './equations/nn';
import { mamba1BlockOfOneToken, mamba1OfOneToken } from './equations/one-token';
import { S6_POINTS } from './equations/points';
import { type Normed, s6 } from './equations/s6';
import { s6Scan } from './equations/scans';
import { explicitPositions, recall, remember } from './equations/states';
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
  normed?: Normed,
): tf.Tensor3D {
  const projected = linear(u, w.under('in_proj'));
  if (!normed && isUnobserved(w, u.shape[1], tap)) return linear(inOneKernel(projected, w, tap), w.under('out_proj'));
  const [x0, z0] = splitLast(projected, [E, E]);
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

/** Nobody looks inside and no gradient is asked for, on a device that has one kernel for all of it. */
const isUnobserved = (w: Weights, L: number, tap: Tap): boolean =>
  (tap.memory ? hasS6MixerWithState() : hasS6Mixer()) &&
  !w.under('x_proj').has('bias') &&
  explicitPositions(tap, L) === null &&
  !S6_POINTS.some((point) => tap.wants(`hook_${point}`));

function inOneKernel(projected: tf.Tensor3D, w: Weights, { memory }: Tap): tf.Tensor3D {
  const [conv, xProj, dtProj] = [w.under('conv1d'), w.under('x_proj'), w.under('dt_proj')];
  const tensors = {
    projected,
    convWeight: conv('weight') as tf.Tensor3D,
    convBias: conv.has('bias') ? (conv('bias') as tf.Tensor1D) : undefined,
    xProj: xProj('weight') as tf.Tensor2D,
    dtProj: dtProj('weight') as tf.Tensor2D,
    dtBias: dtProj.has('bias') ? (dtProj('bias') as tf.Tensor1D) : undefined,
    A_log: w('A_log') as tf.Tensor2D,
    D: w('D') as tf.Tensor1D,
  };
  return memory ? remember(s6MixerWithState(tensors, recall(memory)), memory) : s6Mixer(tensors);
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
