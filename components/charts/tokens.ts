/** How token texts are shown, and how the tokens of two models are matched. */

export interface TokenSpan {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What has no shape of its own, turns the text around it, or may not stand in XML; halves of surrogate pairs too. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Noncharacter_Code_Point}\u2028\u2029\uFEFF]/gu;

function nameOf(character: string): string {
  const code = character.codePointAt(0) as number;
  const hex = code.toString(16).toUpperCase();
  return code < 0x100 ? `<0x${hex.padStart(2, '0')}>` : `<U+${hex.padStart(4, '0')}>`;
}

/**
 * Text in which every character is seen and may stand in XML: control characters are written `<0x1B>`, others that are
 * not seen `<U+202E>`: letters that every font has. Line breaks and tabs stay.
 */
export const visible = (text: string): string =>
  text.replace(UNSEEN, (character) => (/[\t\n\r]/.test(character) ? character : nameOf(character)));

/** A leading space is written `·`, a newline `⏎`, a tab `⇥`, what is not seen by its name; an empty token `∅`. */
export function displayToken(text: string): string {
  if (text === '') return '∅';
  return visible(
    text
      .replace(/^[ ▁Ġ]/, '·')
      .replace(/\n/g, '⏎')
      .replace(/\t/g, '⇥')
      .replace(/\r/g, nameOf),
  );
}

/** Cut to at most `limit` characters, the last one an ellipsis. */
export function cut(text: string, limit: number): string {
  const characters = [...text];
  return characters.length > limit ? `${characters.slice(0, Math.max(1, limit - 1)).join('')}…` : text;
}

/** Whether two token texts are the same word, a leading space or capital apart. */
export const sameWord = (a: string, b: string): boolean => a.trim() === b.trim() && a.trim() !== '';

/**
 * For every token of `from`, the index of the token of `to` that covers exactly the same characters, or −1.
 * Cost: one pass over both.
 */
export function alignTokens(from: readonly TokenSpan[], to: readonly TokenSpan[]): Int32Array {
  const byTo = new Map(to.map((token, index) => [`${token.start}:${token.end}`, index]));
  return Int32Array.from(from, (token) => byTo.get(`${token.start}:${token.end}`) ?? -1);
}

/** Tokens [first, last] that overlap the characters [start, end), or undefined when none does. */
export function tokensInSpan(
  tokens: readonly TokenSpan[],
  span: readonly [number, number] | undefined,
): readonly [number, number] | undefined {
  if (!span) return undefined;
  const first = tokens.findIndex((token) => token.end > span[0] && token.start < span[1]);
  if (first < 0) return undefined;
  let last = first;
  while (last + 1 < tokens.length && tokens[last + 1].start < span[1]) last++;
  return [first, last];
}

/** Characters [start, end) of the tokens [first, last], leading space excluded. */
export function spanOfTokens(tokens: readonly TokenSpan[], first: number, last: number): readonly [number, number] {
  const [low, high] = first <= last ? [first, last] : [last, first];
  const lead = /^\s/.test(tokens[low].text) && tokens[low].end - tokens[low].start > 1 ? 1 : 0;
  return [tokens[low].start + lead, tokens[high].end];
}
