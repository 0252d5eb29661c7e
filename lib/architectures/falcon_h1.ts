import { attention, attentionTensors } from './equations/attention';
import { afterMixers, gatedMlp, gatedMlpTensors } from './equations/mlp';
import { times } from './equations/nn';
import { attentionBeside, mlpPoints, outputAt } from './equations/parts';
import { ssdScan } from './equations/scans';
import { under } from './equations/tensors';
import { mamba2Output, mamba2Tensors } from './mamba2';
import type { AttentionConfig, HybridArchitecture, HybridBlock, MlpConfig } from './types';

const NORM = 'pre_ff_layernorm.weight';

/**
 * Falcon-H1: Mamba-2 and attention side by side in every block, then an MLP; multipliers everywhere.
 *
 *     u = RMS(h),   h ← h + m_s · Mamba-2(u) + m_a · Attention(m_i u),   h ← h + m₁ W_down (SiLU(m₀ W_gate u) ⊙ W_up u)
 */
export const FALCON_H1: HybridArchitecture = {
  label: 'Attn ∥ Mamba-2',
  expand: 2,
  anatomy: {
    scans: [outputAt('mamba_out', ssdScan('single', 'mamba'))],
    attention: attentionBeside('self_attn'),
    mlp: mlpPoints('gated'),
  },
  tensors: ({ mixer, attention, mlp }: HybridBlock) => [
    ...under('mamba', mamba2Tensors(mixer)),
    ...under('self_attn', attentionTensors(mixer.d, attention as AttentionConfig)),
    [NORM, [mixer.d]],
    ...under('feed_forward', gatedMlpTensors(mixer.d, mlp as MlpConfig)),
  ],
  forward: (u, w, { mixer, attention: config, scales }: HybridBlock, tap) => {
    const read = attention(u, w.under('self_attn'), config as AttentionConfig, tap);
    const scanned = tap.at('hook_mamba_out', mamba2Output(u, w.under('mamba'), mixer, tap));
    return tap.at('hook_out_proj', times(scanned, scales.mamba).add(times(read, scales.attention)));
  },
  feedForward: (h, w, block: HybridBlock, tap) =>
    afterMixers(h, w(NORM), block, tap, (u) => gatedMlp(u, w.under('feed_forward'), block.mlp as MlpConfig, tap)),
};
