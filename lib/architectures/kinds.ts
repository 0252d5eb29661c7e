/** Kinds of blocks, by the names that configurations give them; the rest of what is known of each stands in its file. */

export const PLAIN_KINDS = ['mamba1', 'mamba2', 'falcon_mamba'] as const;

/** Blocks that subtract one branch, or one half of their output, from the other (equations A4). */
export const DIFFERENTIAL_KINDS = ['diff_mamba1', 'diff_mamba2', 'diff_mamba2e', 'diff_s6', 'diff_s6_mamba2'] as const;

export const BLOCK_KINDS = [...PLAIN_KINDS, ...DIFFERENTIAL_KINDS] as const;

export type PlainKind = (typeof PLAIN_KINDS)[number];
export type DifferentialKind = (typeof DIFFERENTIAL_KINDS)[number];
export type BlockKind = (typeof BLOCK_KINDS)[number];
