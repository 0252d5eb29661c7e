import { attention, attentionTensors } from './equations/attention';
import { squaredMlp } from './equations/mlp';
import { attentionBeside, mlpPoints } from './equations/parts';
import { projection, under } from './equations/tensors';
import type { AttentionConfig, HybridArchitecture, HybridBlock, MlpConfig } from './types';

/**
 * Nemotron-H: h ← h + X(RMS(h)), where X is Mamba-2 (a plain block of that kind), attention without positions, or
 *
 *     X(u) = W_down relu(W_up u)²
 */
export const NEMOTRON_H_ATTENTION: HybridArchitecture = {
  label: 'Attention',
  expand: 1,
  anatomy: { scans: [], attention: attentionBeside('mixer') },
  tensors: ({ mixer, attention }: HybridBlock) =>
    under('mixer', attentionTensors(mixer.d, attention as AttentionConfig)),
  forward: (u, w, { attention: config }: HybridBlock, tap) =>
    tap.at('hook_out_proj', attention(u, w.under('mixer'), config as AttentionConfig, tap)),
};

export const NEMOTRON_H_MLP: HybridArchitecture = {
  label: 'MLP',
  expand: 1,
  anatomy: { scans: [], mlp: mlpPoints('alone') },
  tensors: ({ mixer: { d }, mlp }: HybridBlock) => {
    const { width, useBias } = mlp as MlpConfig;
    return under('mixer', [...projection('up_proj', width, d, useBias), ...projection('down_proj', d, width, useBias)]);
  },
  forward: (u, w, _block, tap) => tap.at('hook_out_proj', squaredMlp(u, w.under('mixer'), tap)),
};
