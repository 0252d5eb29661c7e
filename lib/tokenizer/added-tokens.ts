/**
 * Cutting added tokens out of a text. The library takes every occurrence; the Python package honours `single_word` and
 * counts the spaces that `lstrip` and `rstrip` swallow to the token, so this is done here.
 */

import { type AddedTokenDefinition, WORD } from './definition';

/** A piece of the text from `start` to `end` in UTF-16 units; plain text has no token. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly token?: AddedTokenDefinition;
}

export type Splitter = (text: string) => Piece[];

const IS_WORD = new RegExp(`^[${WORD}]$`, 'u');

const escapePattern = (text: string) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

function isSingleWord(text: string, start: number, end: number): boolean {
  // A character before may be a pair of surrogates.
  const before = Array.from(text.slice(Math.max(0, start - 2), start)).at(-1) ?? '';
  const after = String.fromCodePoint(text.codePointAt(end) ?? 0);
  return !IS_WORD.test(before) && !IS_WORD.test(after);
}

/**
 * Makes a splitter: leftmost, then longest occurrences.
 * @param tokens each with the text to look for (a token that is matched after normalisation is itself normalised)
 */
export function addedTokenSplitter(tokens: ReadonlyMap<string, AddedTokenDefinition>): Splitter {
  const contents = [...tokens.keys()].filter((content) => content.length > 0).sort((a, b) => b.length - a.length);
  if (contents.length === 0) return (text) => (text ? [{ start: 0, end: text.length }] : []);
  const pattern = new RegExp(contents.map(escapePattern).join('|'), 'g');
  return (text) => {
    const pieces: Piece[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const token = tokens.get(match[0]) as AddedTokenDefinition;
      let start = match.index;
      let end = start + match[0].length;
      if (token.single_word && !isSingleWord(text, start, end)) continue;
      if (token.lstrip) start = Math.max(done, text.slice(0, start).trimEnd().length);
      if (token.rstrip) end = text.length - text.slice(end).trimStart().length;
      if (done < start) pieces.push({ start: done, end: start });
      // The token before may have swallowed all of it with the spaces after itself.
      if (start >= end) continue;
      pieces.push({ start, end, token });
      done = end;
    }
    if (done < text.length) pieces.push({ start: done, end: text.length });
    return pieces;
  };
}
