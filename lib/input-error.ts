/** A checkpoint or input that cannot be used; the message is one sentence that says what is wrong and what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';

  /** @param message may quote the input: what would not be read as a sentence is cut out of its middle */
  constructor(message: string, options?: ErrorOptions) {
    super(readable(message), options);
  }
}

const LONGEST_WORD = 256;
const LONGEST_SENTENCE = 1000;

/** A message without control characters, words of thousands of letters, and endless lists. */
export function readable(message: string): string {
  const printable = message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  const words = printable.replace(/\S+/gu, (word) => shortened(word, LONGEST_WORD));
  return shortened(words, LONGEST_SENTENCE);
}

const shortened = (text: string, longest: number) =>
  text.length <= longest ? text : `${text.slice(0, longest * 0.6)}…${text.slice(-longest * 0.3)}`;
