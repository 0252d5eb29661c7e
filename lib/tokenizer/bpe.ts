/**
 * Byte-pair encoding as the Python package has it. The library's, version 0.2.0, knows no `continuing_subword_prefix`, and its
 * tokens do not tell which characters they stand for.
 */

import { InputError } from '@/lib/input-error';
import type { Model, Piece, TokenizerDefinition } from './definition';

type Definition = TokenizerDefinition['model'];

/** Words that are kept with their pieces, and how long they are at most: text repeats itself. */
const KEPT_WORDS = 10_000;
const LONGEST_KEPT = 256;

/** A piece on its way, in a list of those beside it. */
interface Symbol {
  id: number;
  from: number;
  to: number;
  before: number;
  after: number;
  gone: boolean;
}

/** Two neighbours that may become one: `at` is the place of the first in the list. */
interface Merge {
  readonly at: number;
  readonly rank: number;
  readonly id: number;
}

const comesFirst = (a: Merge, b: Merge) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);

/** The merges that wait, the one that was learned first on top. */
class Heap {
  readonly #items: Merge[] = [];

  push(item: Merge): void {
    const items = this.#items;
    let k = items.push(item) - 1;
    while (k > 0) {
      const parent = (k - 1) >> 1;
      if (!comesFirst(item, items[parent])) break;
      items[k] = items[parent];
      k = parent;
    }
    items[k] = item;
  }

  pop(): Merge | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let k = 0;
    for (;;) {
      let child = 2 * k + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && comesFirst(items[child + 1], items[child])) child++;
      if (!comesFirst(items[child], last)) break;
      items[k] = items[child];
      k = child;
    }
    items[k] = last;
    return top;
  }
}

type Merges = ReadonlyMap<number, ReadonlyMap<number, Omit<Merge, 'at'>>>;

/** By the ids of both parts. @throws InputError for a merge of what the vocabulary lacks */
function mergesOf(merges: readonly unknown[], prefix: string, vocab: ReadonlyMap<string, number>): Merges {
  const found = new Map<number, Map<number, Omit<Merge, 'at'>>>();
  const idOf = (spelling: string): number => {
    const id = vocab.get(spelling);
    if (id === undefined)
      throw new InputError(
        `its merges need the token ${JSON.stringify(spelling)}, which its vocabulary lacks; give the input as token ids`,
      );
    return id;
  };
  for (const [rank, merge] of merges.entries()) {
    const [first, second] = typeof merge === 'string' ? merge.split(' ') : (merge as readonly [string, string]);
    const one = found.get(idOf(first)) ?? new Map<number, Omit<Merge, 'at'>>();
    // Of a merge that is written twice, the later counts.
    one.set(idOf(second), { rank, id: idOf(first + second.slice(prefix.length)) });
    found.set(idOf(first), one);
  }
  return found;
}

/** Joins neighbours while a merge is known for any, those first that were learned first. */
function mergeAll(symbols: Symbol[], merges: Merges): Symbol[] {
  const waiting = new Heap();
  const offer = (at: number) => {
    const { id, after } = symbols[at];
    const merge = after < symbols.length ? merges.get(id)?.get(symbols[after].id) : undefined;
    if (merge) waiting.push({ at, ...merge });
  };
  for (let at = 0; at < symbols.length; at++) offer(at);
  for (let top = waiting.pop(); top; top = waiting.pop()) {
    const symbol = symbols[top.at];
    if (symbol.gone || symbol.after >= symbols.length) continue;
    const next = symbols[symbol.after];
    // Either may have become another piece since.
    if (merges.get(symbol.id)?.get(next.id)?.id !== top.id) continue;
    symbol.id = top.id;
    symbol.to = next.to;
    symbol.after = next.after;
    next.gone = true;
    if (next.after < symbols.length) symbols[next.after].before = top.at;
    if (symbol.before >= 0) offer(symbol.before);
    offer(top.at);
  }
  return symbols.filter(({ gone }) => !gone);
}

const utf8 = new TextEncoder();

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** The tokens of the bytes of a text, where the vocabulary has them all. */
export function byteTokens(text: string, idOf: (spelling: string) => number | undefined): number[] | undefined {
  const ids = Array.from(utf8.encode(text), (byte) => idOf(byteToken(byte)));
  return ids.every((id) => id !== undefined) ? ids : undefined;
}

/** Ids by spelling, added tokens apart. */
export const vocabularyOf = ({ vocab }: Definition): ReadonlyMap<string, number> =>
  new Map(Object.entries(vocab as Readonly<Record<string, number>>));

/** The id of the unknown token, once it is needed: none where no token is named. @throws InputError where it is not in the vocabulary */
export const unknownOf =
  ({ unk_token: unknown }: Definition, vocab: ReadonlyMap<string, number>) =>
  (): number | undefined => {
    const id = vocab.get(String(unknown));
    if (id !== undefined || (unknown ?? undefined) === undefined) return id;
    throw new InputError(
      `The tokenizer's vocabulary lacks its unknown token ${JSON.stringify(unknown)}, which this text needs; give token ids.`,
    );
  };

/**
 * What a vocabulary lacks is its bytes, the unknown token, or nothing: a piece then points at its own characters all the same,
 * where the Python package points as many characters before them as were dropped.
 * @throws InputError for merges of what the vocabulary lacks
 */
export function bpe(definition: Definition): Model {
  const vocab = vocabularyOf(definition);
  const prefix = String(definition.continuing_subword_prefix ?? '');
  const suffix = String(definition.end_of_word_suffix ?? '');
  const { byte_fallback: falls, fuse_unk: fuses, ignore_merges: whole } = definition;
  const merges = mergesOf(definition.merges as readonly unknown[], prefix, vocab);
  const unknownId = unknownOf(definition, vocab);

  /** The characters of a word, as the vocabulary has them. */
  const symbolsOf = (word: string): Symbol[] => {
    const characters = Array.from(word);
    const symbols: Symbol[] = [];
    const add = (id: number, from: number, to: number) => {
      const at = symbols.length;
      symbols.push({ id, from, to, before: at - 1, after: at + 1, gone: false });
    };
    let open: { id: number; from: number; to: number } | undefined;
    const close = () => {
      if (open) add(open.id, open.from, open.to);
      open = undefined;
    };
    for (const [i, character] of characters.entries()) {
      const spelling = (i > 0 ? prefix : '') + character + (i === characters.length - 1 ? suffix : '');
      const id = vocab.get(spelling);
      const bytes = id === undefined && falls ? byteTokens(spelling, (byte) => vocab.get(byte)) : undefined;
      if (id !== undefined) {
        close();
        add(id, i, i + 1);
      } else if (bytes) for (const byte of bytes) add(byte, i, i + 1);
      else if (open && fuses) open.to = i + 1;
      else {
        const unknown = unknownId();
        if (unknown === undefined) continue;
        close();
        open = { id: unknown, from: i, to: i + 1 };
      }
    }
    close();
    return symbols;
  };

  const known = new Map<string, Piece[]>();
  return (word) => {
    const id = whole ? vocab.get(word) : undefined;
    if (id !== undefined) return [{ id, from: 0, to: Array.from(word).length }];
    const kept = known.get(word);
    if (kept) return kept;
    const pieces = mergeAll(symbolsOf(word), merges).map(({ id: own, from, to }): Piece => ({ id: own, from, to }));
    if (word.length <= LONGEST_KEPT) {
      if (known.size >= KEPT_WORDS) known.clear();
      known.set(word, pieces);
    }
    return pieces;
  };
}
