/** Hook points (docs/hooks.md, without `hook_`) in the order in which a forward pass meets them. */

/** Around the mixers of every block. */
export const BLOCK_POINTS = ['resid_pre', 'normalized_input', 'out_proj', 'resid_post'] as const;

/** Before a scan, which two scans may have in common. */
export const INPUT_POINTS = ['skip', 'in_proj', 'conv', 'ssm_input'] as const;

const RECURRENCE = ['delta_2', 'delta', 'A', 'A_bar', 'B', 'B_bar', 'C', 'h', 'y', 'ssm_output', 'after_skip'] as const;

/** What softmax attention shows. */
export const ATTENTION_POINTS = ['q', 'k', 'v', 'attn_pattern', 'z', 'attn_out'] as const;

/** What an MLP shows, with the norm before it. */
export const MLP_POINTS = ['resid_mid', 'mlp_input', 'mlp_gate', 'mlp_up', 'mlp_act', 'mlp_out'] as const;

/** What `s6` and the input of a Mamba-1 mixer show. */
export const S6_POINTS = [...INPUT_POINTS, 'delta_1', ...RECURRENCE] as const;

/** What `ssd` shows. */
export const SSD_POINTS = [...INPUT_POINTS, ...RECURRENCE, 'gated_norm'] as const;
