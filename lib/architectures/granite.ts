import { attention, attentionTensors } from './equations/attention';
import { afterMixers, joinedMlp } from './equations/mlp';
import { times } from './equations/nn';
import { attentionBeside, mlpPoints, outputAt } from './equations/parts';
import { ssdScan } from './equations/scans';
import { projection, under } from './equations/tensors';
import { mamba2Output, mamba2Tensors } from './mamba2';
import type { AttentionConfig, HybridArchitecture, HybridBlock, MlpConfig, Shapes } from './types';

/**
 * Granite 4.0-H without experts: Mamba-2 or attention, then an MLP, each times the residual multiplier r.
 *
 *     h ← h + r · M(RMS(h)),   h ← h + r · W_down (SiLU(gate) ⊙ up),   [gate | up] = W_in RMS(h)
 */
const NORM = 'post_attention_layernorm.weight';

const mlp = ({ mixer: { d }, mlp }: HybridBlock): Shapes => {
  const { width, useBias } = mlp as MlpConfig;
  return [
    [NORM, [d]],
    ...under('shared_mlp', projection('input_linear', 2 * width, d, useBias)),
    ...under('shared_mlp', projection('output_linear', d, width, useBias)),
  ];
};

const feedForward: HybridArchitecture['feedForward'] = (h, w, block: HybridBlock, tap) =>
  afterMixers(h, w(NORM), block, tap, (u) => joinedMlp(u, w.under('shared_mlp'), block.mlp as MlpConfig, tap));

export const GRANITE_MAMBA2: HybridArchitecture = {
  label: 'Mamba-2 + MLP',
  expand: 2,
  anatomy: { scans: [outputAt('mamba_out', ssdScan('single', 'mamba'))], mlp: mlpPoints('gated') },
  tensors: (block: HybridBlock) => [...under('mamba', mamba2Tensors(block.mixer)), ...mlp(block)],
  forward: (u, w, { mixer, scales }: HybridBlock, tap) => {
    const out = tap.at('hook_mamba_out', mamba2Output(u, w.under('mamba'), mixer, tap));
    return tap.at('hook_out_proj', times(out, scales.mamba));
  },
  feedForward,
};

export const GRANITE_ATTENTION: HybridArchitecture = {
  label: 'Attention + MLP',
  expand: 1,
  anatomy: { scans: [], attention: attentionBeside('self_attn'), mlp: mlpPoints('gated') },
  tensors: (block: HybridBlock) => [
    ...under('self_attn', attentionTensors(block.mixer.d, block.attention as AttentionConfig)),
    ...mlp(block),
  ],
  forward: (u, w, { attention: config, scales }: HybridBlock, tap) => {
    const out = attention(u, w.under('self_attn'), config as AttentionConfig, tap);
    return tap.at('hook_out_proj', times(out, scales.attention));
  },
  feedForward,
};
