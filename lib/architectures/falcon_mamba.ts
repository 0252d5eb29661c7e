import type * as tf from '@tensorflow/tfjs';
import { rootMeanSquared } from './equations/nn';
import { s6Scan } from './equations/scans';
import { under } from './equations/tensors';
import { mamba1InFull, mamba1Tensors } from './mamba1';
import type { PlainArchitecture, Scan } from './types';

const plain = s6Scan('single', 'mixer');

export const FALCON_SCAN: Scan = {
  ...plain,
  points: plain.points.flatMap((point) => (point === 'delta_1' ? [point, 'dt_norm'] : [point])),
};

/**
 * FalconMamba (Zuo et al., arXiv 2410.05355; equations A1b): Mamba-1 whose δ, B and C are divided by their root mean
 * square before Δ is made and the scan reads them; the norms have no weight.
 *
 *     [δ | B | C] = W_x x,   Δ = softplus(W_dt δ̂ + b_dt),   v̂ = v / sqrt(mean(v²) + ε)
 */
export const FALCON_MAMBA: PlainArchitecture = {
  label: 'FalconMamba',
  expand: 2,
  ownEpsilon: 1e-6,
  anatomy: { scans: [FALCON_SCAN] },
  tensors: ({ mixer }) => under('mixer', mamba1Tensors(mixer)),
  forward: (u, w, { mixer }, tap) => {
    const normed = (value: tf.Tensor3D) => rootMeanSquared(value, mixer.epsilon);
    return tap.at('hook_out_proj', mamba1InFull(u, w.under('mixer'), mixer, tap, normed));
  },
};
