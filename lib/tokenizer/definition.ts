/** The parts of a tokenizer.json that are read here, and the changes that the JavaScript library needs. */

export interface Component {
  readonly type: string;
  readonly normalizers?: readonly Component[];
  readonly pretokenizers?: readonly Component[];
  readonly processors?: readonly Component[];
  readonly decoders?: readonly Component[];
  readonly add_prefix_space?: boolean;
  readonly trim_offsets?: boolean;
  readonly [field: string]: unknown;
}

export interface AddedTokenDefinition {
  readonly id: number;
  readonly content: string;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean;
  readonly special?: boolean;
}

export interface TokenizerDefinition {
  readonly added_tokens: readonly AddedTokenDefinition[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly post_processor: Component | null;
  readonly decoder: Component | null;
  readonly model: Component & { readonly vocab?: unknown; readonly unk_token?: string | null };
}

/** Word characters as the Rust regular expressions mean them. */
export const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';

/** A token of a word, from character `from` to `to`, the end not included. */
export interface Piece {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** A word to tokens, each with the characters of the word that it stands for. */
export type Model = (word: string) => readonly Piece[];

/** A component and everything inside it. */
export function components(component: Component | null | undefined): Component[] {
  if (!component) return [];
  const { normalizers, pretokenizers, processors, decoders } = component;
  const inner = normalizers ?? pretokenizers ?? processors ?? decoders ?? [];
  return [component, ...inner.flatMap(components)];
}

/**
 * The definition as the library needs it for templates and decoding. Normalising and cutting into words are done here,
 * with origins; of normalisers it keeps those that are not.
 */
export function corrected(definition: TokenizerDefinition): TokenizerDefinition {
  const { normalizer } = definition;
  const opaque = components(normalizer).some(({ type }) => type === 'Precompiled');
  return { ...definition, normalizer: opaque ? normalizer : null, pre_tokenizer: null };
}

function splitsOnly({ type, add_prefix_space: adds, invert, behavior }: Component): boolean {
  if (type === 'Split') return !invert && String(behavior).toLowerCase() !== 'removed';
  return type === 'Sequence' || type === 'Digits' || (type === 'ByteLevel' && !adds);
}

/**
 * Whether all tokens of a normalised text, written one after the other, are that text, but for what the vocabulary lacks: so
 * it is with byte-level BPE whose pre-tokenizer neither drops nor adds anything.
 */
export function keepsText({ model, pre_tokenizer: pre, added_tokens: added }: TokenizerDefinition): boolean {
  const parts = components(pre);
  return (
    Array.isArray(model.merges) &&
    !model.continuing_subword_prefix &&
    !model.continuing_subword_suffix &&
    !model.end_of_word_suffix &&
    parts.some(({ type }) => type === 'ByteLevel') &&
    parts.every(splitsOnly) &&
    !added.some(({ normalized, lstrip, rstrip }) => normalized && (lstrip || rstrip))
  );
}
