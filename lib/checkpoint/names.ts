/** Tensor names: what the files call them and what the rest of the program calls them. */

export const EMBEDDING = 'backbone.embeddings.weight';
export const HEAD = 'lm_head.weight';
export const FINAL_NORM = 'backbone.norm_f.weight';

/** Our own field of a config that says how many of its `vocab_size` rows are tokens, where some are padding. */
export const UNPADDED = 'unpadded_vocab_size';

/** Official checkpoints differ from the Hugging Face names in the embedding alone (equations B). */
export function canonicalName(sourceName: string): string {
  return sourceName === 'backbone.embedding.weight' ? EMBEDDING : sourceName;
}

/** Prefix of everything that belongs to block i, counted from 0. */
export const blockPrefix = (i: number): string => `backbone.layers.${i}.`;
