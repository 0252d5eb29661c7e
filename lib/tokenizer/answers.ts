import type { Token, Tokenizer } from './tokenizer';

/**
 * The first token of an answer as it follows a prompt: of " " + answer (equations D), which word-level tokenizers read
 * as the word itself. Undefined when the vocabulary does not know it.
 */
export function answerToken(tokenizer: Tokenizer, answer: string): Token | undefined {
  const text = ` ${answer.trimStart()}`;
  const first = tokenizer.encode(text).tokens.find(isOfText);
  return first && isUnknown(tokenizer, text, first) ? undefined : first;
}

/** Whether a token of a text stands for a word that the vocabulary lacks, and not for that very spelling. */
export const isUnknown = ({ unknown }: Tokenizer, text: string, token: Token): boolean =>
  token.text === unknown && text.slice(token.start, token.end) !== unknown;

/** Not a token that the tokenizer puts around every text. A lone space may have an empty span, too. */
const isOfText = ({ text, start, end }: Token) => end > start || (text !== '' && text.trim() === '');

/** Tokens that share a character with a span [start, end) of characters; null when none does. */
export function tokenSpan(
  tokens: readonly Token[],
  [start, end]: readonly [start: number, end: number],
): [start: number, end: number] | null {
  const touches = (token: Token) => token.end > start && token.start < end;
  const first = tokens.findIndex(touches);
  return first < 0 ? null : [first, tokens.findLastIndex(touches) + 1];
}
