/** Where the tokens of a pre-tokenised text lie in the original. */

import { type AlignedText, originOf, type Range } from './alignment';
import { bytesOf, SPACE } from './byte-level';

/** A word of the pre-tokenizer with the tokens that the model made of it. */
export interface Word {
  readonly text: string;
  readonly tokens: readonly string[];
}

const utf8 = new TextEncoder();

/** First occurrence of `part` in `whole` from `from` on, or −1. */
function find<T>(whole: ArrayLike<T>, part: ArrayLike<T>, from: number): number {
  for (let at = from; at + part.length <= whole.length; at++) {
    let matched = 0;
    while (matched < part.length && whole[at + matched] === part[matched]) matched++;
    if (matched === part.length) return at;
  }
  return -1;
}

/** A word in the units (bytes or characters) in which the text is searched. */
interface PlacedWord {
  readonly units: ArrayLike<number | string>;
  /** Units of each token; nothing where the tokens do not add up to the word. */
  readonly lengths?: readonly number[];
  readonly tokens: number;
}

const isSpaceUnit = (unit: number | string) => unit === 0x20 || unit === ' ';

/**
 * Places words in the units of the text, in order. A word may begin with a space that the pre-tokenizer put before the
 * text: it does where the word without its space comes earlier than with it. That space points at the first character, as
 * in the Python package.
 */
function placeWords(
  characters: AlignedText,
  units: ArrayLike<number | string>,
  characterOf: ArrayLike<number>,
  words: readonly PlacedWord[],
): Range[] {
  const rangeOf = (from: number, to: number): Range => {
    const clamp = (unit: number) => characterOf[Math.min(Math.max(unit, 0), units.length - 1)];
    return originOf(characters, clamp(from), clamp(to - 1) + 1);
  };
  let position = 0;
  return words.flatMap((word) => {
    const found = find(units, word.units, position);
    const bare = isSpaceUnit(word.units[0]) ? find(units, Array.from(word.units).slice(1), position) : -1;
    const added = bare >= 0 && (found < 0 || bare < found) ? 1 : 0;
    const start = Math.max(added ? bare : found, position);
    const end = start - added + word.units.length;
    position = end;
    if (!word.lengths) return Array.from({ length: word.tokens }, () => rangeOf(start, end));
    let at = start - added;
    return word.lengths.map((length) => {
      const range = rangeOf(Math.max(at, start), Math.max(at + length, start + 1));
      at += length;
      return range;
    });
  });
}

/** Tokens of a byte-level pre-tokenizer: each character of a token is one byte of the normalised text. */
export function placeBytes(characters: AlignedText, words: readonly Word[]): Range[] {
  const bytes: number[] = [];
  const characterOf: number[] = [];
  characters.forEach(({ text }, index) => {
    const code = text.charCodeAt(0);
    for (const byte of code < 0x80 ? [code] : utf8.encode(text)) {
      bytes.push(byte);
      characterOf.push(index);
    }
  });
  const placed = words.map(({ text, tokens }): PlacedWord => {
    const lengths = tokens.map((token) => token.length);
    const addsUp = tokens.join('') === text;
    return { units: bytesOf(text) ?? [], lengths: addsUp ? lengths : undefined, tokens: tokens.length };
  });
  return placeWords(characters, bytes, characterOf, placed);
}

/** What of a token is in the text: sub-word marks are not, and a Metaspace mark is a space. */
const surface = (token: string) => token.replace(/^##|<\/w>$/g, '').replaceAll('▁', ' ');

/**
 * Tokens of words that are pieces of the text. Where the tokens' own texts do not add up to the word (an unknown word, or
 * a model that rewrites), every token of the word gets the whole word.
 */
export function placeText(characters: AlignedText, words: readonly Word[]): Range[] {
  const units = characters.map(({ text }) => text);
  const placed = words.map(({ text, tokens }): PlacedWord => {
    const lengths = tokens.map((token) => Array.from(surface(token)).length);
    const addsUp = tokens.map(surface).join('') === surface(text);
    return { units: Array.from(surface(text)), lengths: addsUp ? lengths : undefined, tokens: tokens.length };
  });
  return placeWords(characters, units, [...units.keys()], placed);
}

const isSpace = (character: string) => character === SPACE || /^\p{White_Space}$/u.test(character);

/**
 * Leaves the spaces of a token out of its range, as the `trim_offsets` of a byte-level post-processor does.
 * @param addsPrefix whether the tokenizer puts a space before the text; that one was never there to be left out
 */
export function trimSpaces(token: string, [start, end]: Range, isFirst: boolean, addsPrefix: boolean): Range {
  const characters = Array.from(token);
  const firstOther = characters.findIndex((character) => !isSpace(character));
  let leading = firstOther < 0 ? characters.length : firstOther;
  const trailing = firstOther < 0 ? leading : characters.length - 1 - characters.findLastIndex((c) => !isSpace(c));
  if (leading > 0 && addsPrefix && (isFirst || start === 0)) leading--;
  const from = Math.min(start + leading, end);
  return [from, trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end];
}
