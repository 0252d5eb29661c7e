import { attention, attentionTensors } from './equations/attention';
import { afterMixers, gatedMlp, gatedMlpTensors } from './equations/mlp';
import { attentionBeside, mlpPoints, outputAt } from './equations/parts';
import { ssdScan } from './equations/scans';
import { under } from './equations/tensors';
import { mamba2Output, mamba2Tensors } from './mamba2';
import type { AttentionConfig, HybridArchitecture, HybridBlock, MlpConfig, Shapes } from './types';

/**
 * Bamba: Mamba-2 or attention that turns half of each head, then an MLP.
 *
 *     h ← h + M(RMS(h)),   h ← h + W_down (SiLU(W_gate u) ⊙ W_up u),   u = RMS(h)
 */
const NORM = 'pre_ff_layernorm.weight';

/** Tensors of the MLP of Bamba, which Jamba has too. */
export const bambaMlp = ({ mixer: { d }, mlp }: HybridBlock): Shapes => [
  [NORM, [d]],
  ...under('feed_forward', gatedMlpTensors(d, mlp as MlpConfig)),
];

export const bambaFeedForward: NonNullable<HybridArchitecture['feedForward']> = (h, w, block: HybridBlock, tap) =>
  afterMixers(h, w(NORM), block, tap, (u) => gatedMlp(u, w.under('feed_forward'), block.mlp as MlpConfig, tap));

export const BAMBA_MAMBA2: HybridArchitecture = {
  label: 'Mamba-2 + MLP',
  expand: 2,
  anatomy: { scans: [outputAt('mamba_out', ssdScan('single', 'mamba'))], mlp: mlpPoints('gated') },
  tensors: (block: HybridBlock) => [...under('mamba', mamba2Tensors(block.mixer)), ...bambaMlp(block)],
  forward: (u, w, { mixer }: HybridBlock, tap) =>
    tap.at('hook_out_proj', tap.at('hook_mamba_out', mamba2Output(u, w.under('mamba'), mixer, tap))),
  feedForward: bambaFeedForward,
};

export const BAMBA_ATTENTION: HybridArchitecture = {
  label: 'Attention + MLP',
  expand: 1,
  anatomy: { scans: [], attention: attentionBeside('self_attn'), mlp: mlpPoints('gated') },
  tensors: (block: HybridBlock) => [
    ...under('self_attn', attentionTensors(block.mixer.d, block.attention as AttentionConfig)),
    ...bambaMlp(block),
  ],
  forward: (u, w, { attention: config }: HybridBlock, tap) =>
    tap.at('hook_out_proj', attention(u, w.under('self_attn'), config as AttentionConfig, tap)),
  feedForward: bambaFeedForward,
};
