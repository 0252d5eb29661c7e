/** Kinds of blocks, by the names that configurations give them; the rest of what is known of each stands in its file. */

export const PLAIN_KINDS = ['mamba1', 'mamba2', 'falcon_mamba'] as const;

/** Blocks that subtract one branch, or one half of their output, from the other (equations A4). */
export const DIFFERENTIAL_KINDS = ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'] as const;

/** Blocks of which a model can be put together one by one (Statescope's own format, training, conversion). */
export const BLOCK_KINDS = [...PLAIN_KINDS, ...DIFFERENTIAL_KINDS] as const;

/** Blocks of models in which attention stands beside Mamba, read from the files of such models alone. */
export const HYBRID_KINDS = [
  'granite_mamba2',
  'granite_attention',
  'falcon_h1',
  'bamba_mamba2',
  'bamba_attention',
  'nemotron_h_attention',
  'nemotron_h_mlp',
  'jamba_mamba1',
  'jamba_attention',
] as const;

export const ALL_KINDS = [...BLOCK_KINDS, ...HYBRID_KINDS] as const;

export type PlainKind = (typeof PLAIN_KINDS)[number];
export type DifferentialKind = (typeof DIFFERENTIAL_KINDS)[number];
export type SingleKind = (typeof BLOCK_KINDS)[number];
export type HybridKind = (typeof HYBRID_KINDS)[number];
export type BlockKind = (typeof ALL_KINDS)[number];
