import type * as tf from '@tensorflow/tfjs';
import { linear } from './equations/nn';
import { mamba2BlockOfOneToken, ssdOfOneToken } from './equations/one-token';
import { ssdScan } from './equations/scans';
import { ssd } from './equations/ssd';
import { mamba2Weights } from './equations/ssd-weights';
import { convolution, projection, stateSpaceDual, under } from './equations/tensors';
import { mamba2BlockInTraining } from './equations/whole-block';
import type { Tap } from './tap';
import type { MixerConfig, PlainArchitecture, Shapes } from './types';
import type { Weights } from './weights';

/** Mamba-2 mixer (Dao & Gu, arXiv 2405.21060; equations A2): u [B,L,d] → W_out SSD(u) [B,L,d]. */
export function mamba2(u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  return tap.at('hook_out_proj', mamba2Output(u, w, config, tap));
}

/** The same, for a block in which it is not all that is added. */
export function mamba2Output(u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap): tf.Tensor3D {
  const [weights, outProj] = [mamba2Weights(w), w.under('out_proj')];
  const step = config.variant ? null : ssdOfOneToken(u, weights, config, tap, outProj);
  return step ?? linear(ssd(u, weights, config, tap), outProj);
}

/** Rows of the input projection: [z | x | B | C | dt]. */
export const mamba2Rows = ({ E, G, N, H }: MixerConfig): number => 2 * E + 2 * G * N + H;

export const mamba2Tensors = (m: MixerConfig): Shapes => [
  ...projection('in_proj', mamba2Rows(m), m.d, m.useBias),
  ...convolution(m.E + 2 * m.G * m.N, m),
  ...stateSpaceDual(m),
  ...(m.variant?.norm === 'none' ? [] : ([['norm.weight', [m.E]]] satisfies Shapes)),
  ...projection('out_proj', m.d, m.E, m.useOutBias ?? m.useBias),
];

export const MAMBA2: PlainArchitecture = {
  label: 'Mamba-2',
  expand: 2,
  anatomy: { scans: [ssdScan('single', 'mixer')] },
  tensors: ({ mixer }) => under('mixer', mamba2Tensors(mixer)),
  forward: (u, w, { mixer }, tap) => mamba2(u, w.under('mixer'), mixer, tap),
  step: (h, w, { mixer }, tap, epsilon) => mamba2BlockOfOneToken(h, w, mixer, tap, epsilon),
  trained: (h, w, { mixer }, tap, epsilon) => mamba2BlockInTraining(h, w, mixer, tap, epsilon),
};
