import * as tf from '@tensorflow/tfjs';
import { hasSsdBlock, type SsdBlockMixer, ssdBlock } from '@/kernels/ops';
import type { Tap } from '../tap';
import { type DifferentialBlock, type MixerConfig, SUBLN_EPSILON } from '../types';
import type { Weights } from '../weights';
import { lambdaOf } from './lambda';
import { isPlainSsd } from './ssd';
import { mamba2Weights } from './ssd-weights';

/** Whether a device's one kernel is all that a mixer of this kind does, in a pass that nobody observes. */
const isCovered = (config: MixerConfig): boolean =>
  hasSsdBlock() && isPlainSsd(config) && !config.useBias && !(config.useOutBias ?? config.useBias);

function mixerOf(w: Weights): SsdBlockMixer {
  const { inProj, conv, dt_bias: dtBias, A_log, D, norm } = mamba2Weights(w);
  return {
    inProj: inProj('weight') as tf.Tensor2D,
    convWeight: conv('weight') as tf.Tensor3D,
    ...(conv.has('bias') && { convBias: conv('bias') as tf.Tensor1D }),
    dtBias,
    A_log,
    D,
    norm: norm as tf.Tensor1D,
    outProj: w('out_proj.weight') as tf.Tensor2D,
  };
}

/** The whole of a Mamba-2 block in training, h + mixer(RMS(h)), where a device has one kernel for it; else null. */
export function mamba2BlockInTraining(
  h: tf.Tensor3D,
  w: Weights,
  mixer: MixerConfig,
  tap: Tap,
  epsilon: number,
): tf.Tensor3D | null {
  if (!tap.joins || !isCovered(mixer)) return null;
  const tensors = { h, norm: w('norm.weight') as tf.Tensor1D, mixers: [mixerOf(w.under('mixer'))] as const };
  return ssdBlock(tensors, { groups: mixer.G, epsilons: [epsilon, mixer.epsilon, SUBLN_EPSILON], scale: 1 });
}

/** The same of a differential block over two of them, h + (1 − λ_init) · RMS(M₁ − λ · M₂; subln), as `joinedMixers` has it. */
export function differentialBlockInTraining(
  h: tf.Tensor3D,
  w: Weights,
  { mixer, lambda, lambdaInit, subln }: DifferentialBlock,
  tap: Tap,
  epsilon: number,
): tf.Tensor3D | null {
  if (!tap.joins || !isCovered(mixer)) return null;
  return tf.tidy(() => {
    const tensors = {
      h,
      norm: w('norm.weight') as tf.Tensor1D,
      mixers: [mixerOf(w.under('mixer_1')), mixerOf(w.under('mixer_2'))] as const,
      share: lambdaOf(lambda, lambdaInit, w).neg(),
      ...(subln && { subln: w('subln.weight') as tf.Tensor1D }),
    };
    const epsilons = [epsilon, mixer.epsilon, SUBLN_EPSILON] as const;
    return ssdBlock(tensors, { groups: mixer.G, epsilons, scale: 1 - lambdaInit });
  });
}
