import * as tf from '@tensorflow/tfjs';
import { difference, scaledDifference } from './equations/difference';
import { linear, splitLast } from './equations/nn';
import { ssdScan } from './equations/scans';
import { ssd } from './equations/ssd';
import { mamba2Weights } from './equations/ssd-weights';
import { differential, under } from './equations/tensors';
import { mamba2Tensors } from './mamba2';
import type { Tap } from './tap';
import type { DifferentialArchitecture, DifferentialBlock } from './types';
import type { Weights } from './weights';

/**
 * DiffMamba2E: one Mamba-2 mixer whose output o [B,L,d] is differenced with itself (equations A4).
 *
 *     δ = o[d/2:] − λ · o[:d/2],   out = (1 − λ_init) · RMS([δ | δ]; subln)
 */
function diffMamba2e(u: tf.Tensor3D, w: Weights, block: DifferentialBlock, tap: Tap): tf.Tensor3D {
  const mixer = w.under('mixer');
  const o = tap.at('hook_mixer_out', linear(ssd(u, mamba2Weights(mixer), block.mixer, tap), mixer.under('out_proj')));
  const [low, high] = splitLast(o, [block.mixer.d / 2, block.mixer.d / 2]);
  const delta = difference(high, low, w, block, tap);
  return tap.at('hook_out_proj', scaledDifference(tf.concat([delta, delta], 2), w, block, tap));
}

export const DIFF_MAMBA2E: DifferentialArchitecture = {
  label: 'Diff-Mamba-2E',
  expand: 2,
  anatomy: {
    scans: [ssdScan('single', 'mixer')],
    difference: {
      branches: [
        { point: 'hook_mixer_out', half: 'upper' },
        { point: 'hook_mixer_out', half: 'lower' },
      ],
      outProj: 'before',
      doubled: true,
      subln: 'subln.weight',
      lambda: 'sigmoid_sum',
    },
  },
  tensors: (block: DifferentialBlock) => {
    const { mixer } = block;
    return [...under('mixer', mamba2Tensors(mixer)), ...differential(block, mixer.d / 2, mixer.d)];
  },
  forward: diffMamba2e,
};
