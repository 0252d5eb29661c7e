/** How token texts are shown, and how the tokens of two models are matched. */

export interface TokenSpan {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A leading space is written `·`, a newline `⏎`, a tab `⇥`; an empty token `∅`. */
export function displayToken(text: string): string {
  if (text === '') return '∅';
  return text
    .replace(/^[ ▁Ġ]/, '·')
    .replace(/\n/g, '⏎')
    .replace(/\t/g, '⇥');
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
