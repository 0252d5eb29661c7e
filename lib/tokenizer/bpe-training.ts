import { InputError } from '@/lib/input-error';
import { BYTE_ALPHABET } from './byte-level';
import type { Component } from './definition';
import { BYTE_LEVEL_WORDS } from './pre-tokenizer';

export interface BpeTrainingOptions {
  /** Entries of the vocabulary, the special tokens and the 256 bytes among them; fewer where the text has no more pairs. */
  readonly vocabularySize: number;
  /** Take the first ids, in this order. */
  readonly special?: readonly string[];
}

const BYTE_LEVEL: Component = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** A word of the texts: how often it occurs, and the tokens that it is made of so far. */
interface Word {
  readonly count: number;
  tokens: number[];
}

/** Two tokens that follow one another: how often, and the words in which they do (or once did). */
interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: Set<Word>;
}

/** One number for two tokens; ids stay far below 2²⁰. */
const keyOf = (left: number, right: number): number => left * 0x10_0000 + right;

/** Words as ByteLevel cuts them, written in its alphabet, with their numbers. */
function countWords(texts: Iterable<string>): Map<string, number> {
  const utf8 = new TextEncoder();
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const [word] of text.matchAll(BYTE_LEVEL_WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return new Map(
    Array.from(counts, ([word, count]) => [
      Array.from(utf8.encode(word), (byte) => BYTE_ALPHABET[byte]).join(''),
      count,
    ]),
  );
}

/** Pairs of adjacent tokens, kept up to date while words are merged. */
class Pairs {
  private readonly pairs = new Map<number, Pair>();

  constructor(words: Iterable<Word>) {
    for (const word of words) this.count(word, 1);
  }

  /** Adds or takes away what a word, as it is now, has of pairs. */
  private count(word: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.tokens.length; i++) {
      const [left, right] = [word.tokens[i], word.tokens[i + 1]];
      const key = keyOf(left, right);
      let pair = this.pairs.get(key);
      if (!pair) {
        pair = { left, right, count: 0, words: new Set() };
        this.pairs.set(key, pair);
      }
      pair.count += sign * word.count;
      if (sign > 0) pair.words.add(word);
    }
  }

  /** The most frequent pair; of several the one with the lower ids, as in the Python package. */
  best(): Pair | undefined {
    let best: Pair | undefined;
    for (const pair of this.pairs.values())
      if (
        pair.count > (best?.count ?? 0) ||
        (best && pair.count === best.count && keyOf(pair.left, pair.right) < keyOf(best.left, best.right))
      )
        best = pair;
    return best;
  }

  merge({ left, right, words }: Pair, into: number): void {
    for (const word of words) {
      this.count(word, -1);
      const merged: number[] = [];
      for (let i = 0; i < word.tokens.length; i++) {
        const joins = word.tokens[i] === left && word.tokens[i + 1] === right;
        merged.push(joins ? into : word.tokens[i]);
        if (joins) i++;
      }
      word.tokens = merged;
      this.count(word, 1);
    }
    this.pairs.delete(keyOf(left, right));
  }
}

/**
 * Byte-level byte-pair encoding (Sennrich et al. 2016; GPT-2's cut into words): starts from the 256 bytes and joins the most
 * frequent pair of tokens inside words until the vocabulary is full. The merges are those of `BpeTrainer` of the Python package
 * `tokenizers` with the byte-level alphabet. Cost: one pass over the texts, then one over the pairs for every merge.
 * @returns what a tokenizer.json holds
 * @throws InputError where the vocabulary has no room for the bytes
 */
export function trainBpe(texts: Iterable<string>, { vocabularySize, special = [] }: BpeTrainingOptions): object {
  const spellings = [...special, ...[...BYTE_ALPHABET].sort()];
  if (vocabularySize < spellings.length)
    throw new InputError(
      `A vocabulary of ${vocabularySize} has no room for the 256 bytes and ${special.length} special tokens: ask for ${spellings.length} or more.`,
    );
  const ids = new Map(spellings.map((spelling, id) => [spelling, id]));
  const words = Array.from(countWords(texts), ([word, count]): Word => {
    return { count, tokens: Array.from(word, (character) => ids.get(character) as number) };
  });
  const pairs = new Pairs(words);
  const merges: [string, string][] = [];
  while (ids.size < vocabularySize) {
    const pair = pairs.best();
    if (!pair) break;
    const [left, right] = [spellings[pair.left], spellings[pair.right]];
    const spelling = left + right;
    // Another merge may have made the same token before.
    const id = ids.get(spelling) ?? spellings.push(spelling) - 1;
    ids.set(spelling, id);
    merges.push([left, right]);
    pairs.merge(pair, id);
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: BYTE_LEVEL,
    post_processor: null,
    decoder: BYTE_LEVEL,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}
