/**
 * BABILong (Kuratov et al. 2024): the facts of a bAbI question among sentences of other text, as the published classes compose
 * them; with the same numbers, texts and tokenizer the samples are the same.
 */

import { InputError } from '@/lib/input-error';
import type { Tokenizer } from '@/lib/tokenizer';
import type { BabiQuestion } from './babi';
import type { NumpyGenerator } from './numpy-random';
import { sentencesOf } from './sentences';

/** Texts to draw background from. */
export interface Background {
  readonly count: number;
  text(index: number): string;
}

export interface ComposedSentence {
  readonly kind: 'fact' | 'noise';
  /** Characters of `input`. */
  readonly start: number;
  readonly end: number;
  /** Tokens of the composed list, in which each sentence was encoded by itself with the blank before it. */
  readonly tokenStart: number;
  readonly tokenEnd: number;
  /** Place in the facts of the question, and whether it is named as deciding. */
  readonly fact?: number;
  readonly supporting?: boolean;
}

export interface Composition {
  readonly input: string;
  /** How many sentences of the background stand before each fact. */
  readonly slots: readonly number[];
  readonly sentences: readonly ComposedSentence[];
  /** Tokens of the composed list. */
  readonly tokens: number;
}

/** A sentence with the blank before it, and its ids alone. */
interface Piece {
  readonly text: string;
  readonly tokens: number;
}

export interface ComposeOptions {
  readonly tokenizer: Tokenizer;
  readonly background: Background;
  /** Tokens of the whole. */
  readonly length: number;
  /** Draws the background, and where the facts go. */
  readonly texts: NumpyGenerator;
  readonly places: NumpyGenerator;
  /** Shares of the length between which the facts go; anywhere if left out. */
  readonly depth?: readonly [from: number, to: number];
}

/** Shorter sentences of the background are passed over. */
const FEWEST_TOKENS = 10;

/** Backgrounds in a row none of whose sentences begins at the depth, after which none will. */
const MOST_TRIES = 200;

/** Texts in a row without one sentence, after which there will be none. */
const MOST_EMPTY = 1000;

const tokensOf = (tokenizer: Tokenizer, text: string) =>
  tokenizer.encode(text).tokens.filter(({ start, end }) => end > start);

/** The facts of a question as {@link compose} counts them. */
export const factTokens = (tokenizer: Tokenizer, facts: readonly string[]): number =>
  facts.reduce((sum, fact) => sum + tokensOf(tokenizer, ` ${fact}`).length, 0);

/**
 * Facts in their order at random places between sentences of the background, so many tokens together. Without background
 * where the facts alone have the length, or more.
 * @throws InputError where the background gives no sentences, or no place is within the depth
 */
export function compose({ facts, supporting }: BabiQuestion, options: ComposeOptions): Composition {
  const { tokenizer, length, places, depth } = options;
  const told = facts.map((fact) => ({
    text: ` ${fact}`,
    tokens: tokensOf(tokenizer, ` ${fact}`).length,
  }));
  const ofFacts = told.reduce((sum, { tokens }) => sum + tokens, 0);
  const { noise, open } = placed();
  const slots = told.map(() => places.pick(open)).sort((a, b) => a - b);

  /** Background that has places for the facts within the depth: the first that is drawn, unless its sentences are too long. */
  function placed(): { readonly noise: readonly Piece[]; readonly open: readonly number[] } {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const noise = background(options, length - ofFacts);
      const open = depth
        ? within(noise, length, ofFacts, depth)
        : Array.from({ length: noise.length + 1 }, (_, i) => i);
      if (open.length > 0) return { noise, open };
    }
    throw new InputError(
      `Facts of ${ofFacts} tokens find no place at the depth ${depth?.join(' to ')} of ${length} tokens: make the range wider or the text longer.`,
    );
  }

  const sentences: ComposedSentence[] = [];
  let input = '';
  let tokens = 0;
  const put = (piece: Piece, what: Pick<ComposedSentence, 'kind' | 'fact' | 'supporting'>) => {
    // The blank before the first sentence is no part of the input.
    const text = input === '' ? piece.text.trimStart() : piece.text;
    const start = input.length + (text.length - text.trimStart().length);
    input += text;
    sentences.push({ ...what, start, end: input.length, tokenStart: tokens, tokenEnd: tokens + piece.tokens });
    tokens += piece.tokens;
  };
  for (let slot = 0; slot <= noise.length; slot++) {
    told.forEach((piece, fact) => {
      if (slots[fact] === slot) put(piece, { kind: 'fact', fact, supporting: supporting.includes(fact) });
    });
    if (slot < noise.length) put(noise[slot], { kind: 'noise' });
  }
  return { input, slots, sentences, tokens };
}

/** Sentences of random texts from random places on, until there are so many tokens; the last is cut to fit. */
function background({ tokenizer, background: texts, texts: random }: ComposeOptions, size: number): Piece[] {
  const pieces: Piece[] = [];
  let total = 0;
  let empty = 0;
  while (total < size) {
    const before = pieces.length;
    const text = texts.text(random.below(texts.count));
    const drawn = text === '' ? '' : text.slice(random.below(text.length)).slice(0, size * 10);
    // The first and the last sentence are broken off where the text is.
    for (const sentence of sentencesOf(drawn).slice(1, -1)) {
      const tokens = tokensOf(tokenizer, ` ${sentence}`);
      if (tokens.length < FEWEST_TOKENS) continue;
      const kept = Math.min(tokens.length, size - total);
      pieces.push({ text: ` ${sentence}`.slice(0, tokens[kept - 1].end), tokens: kept });
      total += kept;
      if (total >= size) return pieces;
    }
    empty = pieces.length > before ? 0 : empty + 1;
    if (empty > MOST_EMPTY)
      throw new InputError(
        `The background gives no sentences of ${FEWEST_TOKENS} tokens or more: give prose with full stops.`,
      );
  }
  return pieces;
}

/** Places before sentences that begin within the shares of the length and leave room for the facts. */
function within(
  noise: readonly Piece[],
  length: number,
  facts: number,
  [from, to]: readonly [number, number],
): number[] {
  const open: number[] = [];
  let at = 0;
  noise.forEach(({ tokens }, i) => {
    if (at >= Math.floor(length * from) && at < Math.floor(length * to) - facts) open.push(i);
    at += tokens;
  });
  return open;
}
