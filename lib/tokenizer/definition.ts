/** The parts of a tokenizer.json that are read here, and the changes that the JavaScript library needs. */

export interface Component {
  readonly type: string;
  readonly normalizers?: readonly Component[];
  readonly pretokenizers?: readonly Component[];
  readonly processors?: readonly Component[];
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

/** Word characters and white space as the Rust regular expressions mean them. */
export const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const WHITE_SPACE = '\\p{White_Space}';

/** A component and everything inside it. */
export function components(component: Component | null | undefined): Component[] {
  if (!component) return [];
  const inner = component.normalizers ?? component.pretokenizers ?? component.processors ?? [];
  return [component, ...inner.flatMap(components)];
}

/** The library's `Whitespace` splits words at every letter outside ASCII; the pattern of the Rust one does not. */
function correctPreTokenizer(component: Component): Component {
  if (component.type === 'Sequence') {
    return { ...component, pretokenizers: (component.pretokenizers ?? []).map(correctPreTokenizer) };
  }
  if (component.type !== 'Whitespace') return component;
  const pattern = { Regex: `[${WORD}]+|[^${WORD}${WHITE_SPACE}]+` };
  return { type: 'Split', pattern, behavior: 'Removed', invert: true };
}

/** The definition with which the library gives the answers of the Python package. */
export function corrected(definition: TokenizerDefinition): TokenizerDefinition {
  const { pre_tokenizer: preTokenizer } = definition;
  return { ...definition, pre_tokenizer: preTokenizer && correctPreTokenizer(preTokenizer) };
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
