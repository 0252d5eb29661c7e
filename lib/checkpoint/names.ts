/** Tensor names: what the files call them and what the rest of the program calls them. */

import { InputError } from './types';

export const EMBEDDING = 'backbone.embeddings.weight';
export const HEAD = 'lm_head.weight';
export const FINAL_NORM = 'backbone.norm_f.weight';

/** Our own field of a config that says how many of its `vocab_size` rows are tokens, where some are padding. */
export const UNPADDED = 'unpadded_vocab_size';

/** Prefix of everything that belongs to block i, counted from 0. */
export const blockPrefix = (i: number): string => `backbone.layers.${i}.`;

/** What torch.compile, FSDP and activation checkpointing write between the parts of a name. */
const WRAPPERS = /(?<=^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;

/** What hybrids call the tensors that every model has: the embedding, the norm before the head, and that before a block. */
const OF_HYBRIDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^embed_tokens\.weight$/, 'embeddings.weight'],
  [/^(?:final_layernorm|norm)\.weight$/, 'norm_f.weight'],
  [/^(layers\.\d+\.)input_layernorm\.weight$/, '$1norm.weight'],
];

/** A name of the backbone, split after whatever stands before its own part. */
const OF_BACKBONE = /^(|.*?\.)((?:embeddings?|norm_f)\.weight|layers\.\d+\..+)$/;
const OF_HEAD = /^(|.*\.)lm_head\.weight$/;

/** Whether names are those of a model's weights, whatever stands before them. */
export const nameAModel = (names: Iterable<string>): boolean => {
  for (const name of names)
    if (/^layers\.\d+\./.test(OF_BACKBONE.exec(name.replace(WRAPPERS, ''))?.[2] ?? '')) return true;
  return false;
};

export interface Naming {
  /** Name in the file → name in the program. */
  readonly canonical: ReadonlyMap<string, string>;
  /** Names in the file that are not of the model: they stand outside of it. */
  readonly outside: readonly string[];
}

/**
 * What the tensors of a file are called here: `backbone.…` and `lm_head.weight`, whatever common prefix the file has before
 * them (`model.`, `module.`, `base_model.model.backbone.`, none) and whatever wrappers training put between.
 * Official checkpoints differ from the Hugging Face names in the embedding alone (equations B).
 * @throws InputError where there are several prefixes, so that it is open which model is meant
 */
export function namingOf(names: readonly string[], label: string): Naming {
  const plain = new Map(names.map((name) => [name, name.replace(WRAPPERS, '')]));
  const roots = new Set([...plain.values()].flatMap((name) => OF_BACKBONE.exec(name)?.[1] ?? []));
  if (roots.size > 1) {
    const shown = [...roots].map((root) => (root ? `"${root}"` : 'no prefix')).join(' and ');
    throw new InputError(
      `${label} holds the weights of more than one model (${shown}): save the one that is meant on its own.`,
    );
  }
  const [root] = roots;
  // Nothing of a model is among them: the list of what is missing and what is unknown says more.
  if (root === undefined) return { canonical: plain, outside: [] };
  const canonical = new Map<string, string>();
  const outside: string[] = [];
  for (const [name, bare] of plain) {
    const head = OF_HEAD.exec(bare);
    if (head && root.startsWith(head[1])) canonical.set(name, HEAD);
    else if (!bare.startsWith(root)) outside.push(name);
    else {
      const own = bare.slice(root.length);
      const usual = OF_HYBRIDS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), own);
      canonical.set(name, usual === 'embedding.weight' ? EMBEDDING : `backbone.${usual}`);
    }
  }
  return { canonical, outside };
}
