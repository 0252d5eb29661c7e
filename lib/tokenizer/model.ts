/** Models: a word to tokens, each with the characters of the word that it stands for. */

import { InputError } from '@/lib/input-error';
import { bpe, byteTokens, unknownOf, vocabularyOf } from './bpe';
import type { Model, Piece, TokenizerDefinition } from './definition';

type Definition = TokenizerDefinition['model'];

/** A word as one piece, or as none. */
const wholeWord = (id: number | undefined, length: number): Piece[] =>
  id === undefined ? [] : [{ id, from: 0, to: length }];

/** The longest pieces from the left; a word that cannot be spelled so, or is too long, is unknown as a whole. */
function wordPiece(definition: Definition): Model {
  const vocab = vocabularyOf(definition);
  const prefix = String(definition.continuing_subword_prefix ?? '##');
  const longest = Number(definition.max_input_chars_per_word ?? 100);
  const unknown = unknownOf(definition, vocab);
  const spelled = (characters: readonly string[]): Piece[] | undefined => {
    const pieces: Piece[] = [];
    for (let from = 0; from < characters.length; ) {
      let to = characters.length;
      const spelling = () => (from > 0 ? prefix : '') + characters.slice(from, to).join('');
      while (to > from && !vocab.has(spelling())) to--;
      if (to === from) return undefined;
      pieces.push({ id: vocab.get(spelling()) as number, from, to });
      from = to;
    }
    return pieces;
  };
  return (word) => {
    const characters = Array.from(word);
    const pieces = characters.length <= longest ? spelled(characters) : undefined;
    return pieces ?? wholeWord(unknown(), characters.length);
  };
}

/** Words that the vocabulary has, and no others. */
function wordLevel(definition: Definition): Model {
  const vocab = vocabularyOf(definition);
  const unknown = unknownOf(definition, vocab);
  return (word) => wholeWord(vocab.get(word) ?? unknown(), Array.from(word).length);
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
      const bytes = definition.byte_fallback ? byteTokens(text, (spelling) => ids.get(spelling)) : undefined;
      if (bytes) return bytes.map((byte) => ({ ...piece, id: byte }));
      return unknown === undefined ? [] : [{ ...piece, id: unknown }];
    });
  };
}

/** @throws InputError for models that are not known */
export function modelOf({ model }: TokenizerDefinition): Model {
  const type =
    model.type ?? (Array.isArray(model.merges) ? 'BPE' : Array.isArray(model.vocab) ? 'Unigram' : 'WordPiece');
  if (type === 'BPE') return bpe(model);
  if (type === 'Unigram') return unigram(model);
  if (type === 'WordPiece') return wordPiece(model);
  if (type === 'WordLevel') return wordLevel(model);
  throw new InputError(`its model ${type} is not known`);
}
