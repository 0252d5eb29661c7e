/** Models: a word to tokens, each with the characters of the word that it stands for. */

import type { Tokenizer as Library } from '@huggingface/tokenizers';
import { InputError } from '@/lib/input-error';
import type { TokenizerDefinition } from './definition';

/** A token of a word, from character `from` to `to`, the end not included. */
export interface Piece {
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

export type Model = (word: string) => Piece[];

type Definition = TokenizerDefinition['model'];

const utf8 = new TextEncoder();

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** The tokens of the bytes of a text, where the vocabulary has them all. */
function fallback(text: string, idOf: (spelling: string) => number | undefined): number[] | undefined {
  const ids = Array.from(utf8.encode(text), (byte) => idOf(byteToken(byte)));
  return ids.every((id) => id !== undefined) ? ids : undefined;
}

/** Byte-pair merges are the library's; which characters its tokens stand for follows from what the vocabulary has. */
function bpe(definition: Definition, library: Library): Model {
  const { byte_fallback: falls, fuse_unk: fuses, unk_token: unknown } = definition;
  const prefix = String(definition.continuing_subword_prefix ?? '');
  const suffix = String(definition.end_of_word_suffix ?? '');
  const idOf = (spelling: string) => library.token_to_id(spelling);
  const surface = (spelling: string, first: boolean) => {
    const start = !first && prefix && spelling.startsWith(prefix) ? prefix.length : 0;
    const end = suffix && spelling.endsWith(suffix) ? spelling.length - suffix.length : spelling.length;
    return spelling.slice(start, end);
  };
  return (word) => {
    const characters = Array.from(word);
    const spellings = library.model?._call([word]) ?? [];
    const pieces: Piece[] = [];
    let at = 0;
    const isKnown = (i: number) =>
      [characters[i], characters[i] + suffix, prefix + characters[i]].some((spelling) => idOf(spelling) !== undefined);
    const isMade = (i: number) => isKnown(i) || Boolean(falls && fallback(characters[i], idOf));
    for (let k = 0; k < spellings.length; ) {
      const id = idOf(spellings[k]);
      if (id === undefined) {
        // A model without an unknown token drops what it cannot spell.
        at++;
        k++;
      } else if (at >= characters.length || isKnown(at)) {
        const length = Array.from(surface(spellings[k], k === 0)).length;
        pieces.push({ id, from: at, to: at + length });
        at += length;
        k++;
      } else if (falls && fallback(characters[at], idOf)) {
        for (const byte of fallback(characters[at], idOf) as number[]) pieces.push({ id: byte, from: at, to: at + 1 });
        k += utf8.encode(characters[at]).length;
        at++;
      } else if (unknown === undefined || unknown === null) at++;
      else {
        let end = at + 1;
        while (fuses && end < characters.length && !isMade(end)) end++;
        pieces.push({ id, from: at, to: end });
        at = end;
        k++;
      }
    }
    return pieces;
  };
}

function wordPiece(definition: Definition, library: Library): Model {
  const prefix = String(definition.continuing_subword_prefix ?? '##');
  return (word) => {
    const spellings = library.model?._call([word]) ?? [];
    const length = Array.from(word).length;
    let at = 0;
    return spellings.flatMap((spelling, k) => {
      const id = library.token_to_id(spelling);
      if (id === undefined) return [];
      if (spellings.length === 1 && spelling !== word) return [{ id, from: 0, to: length }];
      const own = Array.from(k > 0 && spelling.startsWith(prefix) ? spelling.slice(prefix.length) : spelling).length;
      at += own;
      return [{ id, from: at - own, to: at }];
    });
  };
}

/** The library has no WordLevel model and passes every word through, known or not. */
function wordLevel({ unk_token: unknown }: Definition, library: Library): Model {
  return (word) => {
    const id = library.token_to_id(word) ?? (unknown ? library.token_to_id(unknown) : undefined);
    return id === undefined ? [] : [{ id, from: 0, to: Array.from(word).length }];
  };
}

/** How much less a character that the vocabulary lacks is worth than its least likely piece. */
const UNKNOWN_PENALTY = 10;

/** The most likely pieces of a word; what the vocabulary lacks is one unknown piece, or bytes. */
function unigram(definition: Definition): Model {
  const vocab = definition.vocab as readonly (readonly [string, number])[];
  const ids = new Map(vocab.map(([spelling], id) => [spelling, id]));
  const unknown = typeof definition.unk_id === 'number' ? definition.unk_id : undefined;
  const lowest = vocab.reduce((least, [, score]) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY;
  const longest = vocab.reduce((most, [spelling]) => Math.max(most, Array.from(spelling).length), 1);
  const fuses = definition.fuse_unk !== false;
  return (word) => {
    const characters = Array.from(word);
    const n = characters.length;
    const best = Array.from({ length: n + 1 }, () => ({ score: 0, from: -1, id: -1 }));
    const offer = (from: number, to: number, id: number, score: number) => {
      const total = best[from].score + score;
      if (best[to].from < 0 || total > best[to].score) best[to] = { score: total, from, id };
    };
    for (let from = 0; from < n; from++) {
      let single = false;
      let spelling = '';
      for (let to = from + 1; to <= Math.min(n, from + longest); to++) {
        spelling += characters[to - 1];
        const id = ids.get(spelling);
        if (id === undefined) continue;
        offer(from, to, id, vocab[id][1]);
        if (to === from + 1) single = true;
      }
      if (!single) offer(from, from + 1, unknown ?? -1, lowest);
    }
    const pieces: Piece[] = [];
    for (let to = n; to > 0; ) {
      const { from, id } = best[to];
      const next = pieces.at(-1);
      if (fuses && next && id === unknown && next.id === unknown) pieces[pieces.length - 1] = { ...next, from };
      else pieces.push({ id, from, to });
      to = from;
    }
    return pieces.reverse().flatMap((piece): Piece[] => {
      const text = characters.slice(piece.from, piece.to).join('');
      const id = ids.get(text);
      if (id !== undefined) return [{ ...piece, id }];
      const bytes = definition.byte_fallback ? fallback(text, (spelling) => ids.get(spelling)) : undefined;
      if (bytes) return bytes.map((byte) => ({ ...piece, id: byte }));
      return unknown === undefined ? [] : [{ ...piece, id: unknown }];
    });
  };
}

/** @throws InputError for models that are not known */
export function modelOf({ model }: TokenizerDefinition, library: Library): Model {
  const type =
    model.type ?? (Array.isArray(model.merges) ? 'BPE' : Array.isArray(model.vocab) ? 'Unigram' : 'WordPiece');
  if (type === 'BPE') return bpe(model, library);
  if (type === 'Unigram') return unigram(model);
  if (type === 'WordPiece') return wordPiece(model, library);
  if (type === 'WordLevel') return wordLevel(model, library);
  throw new InputError(`its model ${type} is not known`);
}
