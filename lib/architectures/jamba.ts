import type * as tf from '@tensorflow/tfjs';
import { rmsNorm } from '@/kernels/ops';
import { BAMBA_ATTENTION, bambaFeedForward, bambaMlp } from './bamba';
import { mlpPoints, outputAt } from './equations/parts';
import { s6Scan } from './equations/scans';
import { under } from './equations/tensors';
import { FALCON_SCAN } from './falcon_mamba';
import { mamba1InFull, mamba1Tensors } from './mamba1';
import type { HybridArchitecture, HybridBlock } from './types';

/**
 * Jamba without experts: Mamba-1 whose δ, B and C pass norms with weights before they are used, or attention without
 * positions; then the MLP of Bamba.
 */
export const JAMBA_MAMBA1: HybridArchitecture = {
  label: 'Mamba + MLP',
  expand: 2,
  anatomy: {
    scans: [outputAt('mamba_out', { ...s6Scan('single', 'mamba'), points: FALCON_SCAN.points })],
    mlp: mlpPoints('gated'),
  },
  tensors: (block: HybridBlock) => [
    ...under('mamba', [
      ...mamba1Tensors(block.mixer),
      ['dt_layernorm.weight', [block.mixer.R]],
      ['b_layernorm.weight', [block.mixer.N]],
      ['c_layernorm.weight', [block.mixer.N]],
    ]),
    ...bambaMlp(block),
  ],
  forward: (u, w, { mixer }: HybridBlock, tap) => {
    const own = w.under('mamba');
    const { epsilon } = mixer;
    const normed = (value: tf.Tensor3D, of: 'dt' | 'b' | 'c') =>
      rmsNorm(value, own(`${of}_layernorm.weight`) as tf.Tensor1D, { epsilon });
    return tap.at('hook_out_proj', tap.at('hook_mamba_out', mamba1InFull(u, own, mixer, tap, normed)));
  },
  feedForward: bambaFeedForward,
};

export const JAMBA_ATTENTION: HybridArchitecture = BAMBA_ATTENTION;
