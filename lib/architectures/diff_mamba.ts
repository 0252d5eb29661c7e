import type * as tf from '@tensorflow/tfjs';
import { difference, scaledDifference } from './equations/difference';
import { joinedMixers } from './equations/joined';
import { s6Scan, ssdScan } from './equations/scans';
import { differential, under } from './equations/tensors';
import { differentialBlockInTraining } from './equations/whole-block';
import { mamba1, mamba1Tensors } from './mamba1';
import { mamba2, mamba2Tensors } from './mamba2';
import type { Tap } from './tap';
import type { Difference, DifferentialArchitecture, DifferentialBlock, MixerConfig, Shapes } from './types';
import type { Weights } from './weights';

type Mixer = (u: tf.Tensor3D, w: Weights, config: MixerConfig, tap: Tap) => tf.Tensor3D;

/**
 * Diff-Mamba over two mixers (arXiv 2507.06204, Eq. 21; equations A4): u [B,L,d] → [B,L,d].
 *
 *     out = (1 − λ_init) · RMS(M₁(u) − λ · M₂(u); subln)
 */
const diffMamba = (mixer: Mixer) => (u: tf.Tensor3D, w: Weights, block: DifferentialBlock, tap: Tap) => {
  const y1 = mixer(u, w.under('mixer_1'), block.mixer, tap.scope('mixer_1'));
  const y2 = mixer(u, w.under('mixer_2'), block.mixer, tap.scope('mixer_2'));
  const delta = difference(y1, y2, w, block, tap);
  return tap.at('hook_out_proj', scaledDifference(delta, w, block, tap));
};

const tensors = (mixer: (config: MixerConfig) => Shapes) => (block: DifferentialBlock) => {
  const [one, { d }] = [mixer(block.mixer), block.mixer];
  return [...under('mixer_1', one), ...under('mixer_2', one), ...differential(block, d, d)];
};

const OF_OUTPUTS = {
  branches: [{ point: 'mixer_1.hook_out_proj' }, { point: 'mixer_2.hook_out_proj' }],
  outProj: 'before',
  doubled: false,
  subln: 'subln.weight',
} as const satisfies Partial<Difference>;

/** Two Mamba-1 mixers. */
export const DIFF_MAMBA1: DifferentialArchitecture = {
  label: 'Diff-Mamba',
  expand: 1,
  anatomy: {
    scans: [s6Scan('mixer_1', 'mixer_1'), s6Scan('mixer_2', 'mixer_2')],
    difference: { ...OF_OUTPUTS, lambda: 'exp', mixers: 'mamba1' },
  },
  tensors: tensors(mamba1Tensors),
  forward: diffMamba(mamba1),
};

const apart = diffMamba(mamba2);

/** Two Mamba-2 mixers: the paper's Diff-Mamba. */
export const DIFF_MAMBA2: DifferentialArchitecture = {
  label: 'Diff-Mamba-2',
  expand: 1,
  anatomy: {
    scans: [ssdScan('mixer_1', 'mixer_1'), ssdScan('mixer_2', 'mixer_2')],
    difference: { ...OF_OUTPUTS, lambda: 'sigmoid_sum', mixers: 'mamba2' },
  },
  tensors: tensors(mamba2Tensors),
  forward: (u, w, block: DifferentialBlock, tap) => (tap.joins ? joinedMixers(u, w, block) : apart(u, w, block, tap)),
  trained: (h, w, block: DifferentialBlock, tap, epsilon) => differentialBlockInTraining(h, w, block, tap, epsilon),
};
