import type { Token, Tokenizer } from './tokenizer';

/**
 * Words follow a blank, unless the tokenizer puts one before every text; what is no word (a mark, a line end, a special token)
 * stands as it was typed.
 */
function asContinuation(tokenizer: Tokenizer, answer: string): string {
  if (!/^[\p{L}\p{M}\p{N}]/u.test(answer)) return answer;
  const alone = tokenizer.encode(answer).tokens.find(isOfText);
  return alone && /^[▁ ]/.test(alone.text) ? answer : ` ${answer}`;
}

/** What a token shows beside blanks; a Metaspace mark is one. */
const shown = ({ text }: Token) => text.replaceAll('▁', ' ').trim();

/**
 * The first token of an answer as it follows a prompt: of " " + answer where it is a word (equations D), which word-level
 * tokenizers read as the word itself; of a special token or another text as it was typed, line ends included. A blank that is
 * a token of its own is passed over unless the answer is blank. Undefined when the vocabulary does not know it.
 */
export const answerToken = (tokenizer: Tokenizer, answer: string): Token | undefined =>
  answerTokens(tokenizer, answer)[0];

/** All tokens of an answer, {@link answerToken} and those behind it; none where the vocabulary does not know the first. */
export function answerTokens(tokenizer: Tokenizer, answer: string): Token[] {
  const text = asContinuation(tokenizer, answer);
  const tokens = tokenizer.encode(text).tokens.filter(isOfText);
  const isBlank = answer.trim() === '';
  // A tokenizer may put a blank before every text, which is not what was typed.
  const typed = isBlank && !answer.startsWith(' ') ? tokens.filter((token) => !/^[▁ ]+$/.test(token.text)) : tokens;
  const first = isBlank ? (typed[0] ?? tokens[0]) : tokens.find((token) => shown(token) !== '');
  return first && !isUnknown(tokenizer, text, first) ? tokens.slice(tokens.indexOf(first)) : [];
}

/** What is to be said where only the first token of a word is read. */
export const firstOfSeveral = (role: string, word: string, tokens: readonly { readonly text: string }[]): string =>
  `The ${role} "${word}" is ${tokens.length} tokens; only the first, ${JSON.stringify(tokens[0].text)}, is read.`;

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
