/** Ranges of tokens as post-processors change them. */

import type { Range } from './alignment';
import { SPACE } from './byte-level';

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
  if (leading > 0 && addsPrefix && (isFirst || start === 0)) {
    // The space alone, which points at the first character however long that is.
    if (characters.length === 1) return [start, start];
    leading--;
  } else if (characters.length === 1 && leading > 0) return [end, end];
  const from = Math.min(start + leading, end);
  return [from, trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end];
}
