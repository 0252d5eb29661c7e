import type { Continuation } from '@/lib/api/schemas';
import type { Token, Tokenizer } from '@/lib/tokenizer';

/** What a decoder writes for bytes that are no character yet. */
const INCOMPLETE = /\uFFFD+$/;

/** Tells what each token adds to the text: spaces as the decoder puts them, and no half characters. */
export class Pieces {
  readonly #ids: number[];
  #text: string;

  /**
   * @param before the last token of the prompt and all that were added: how a token is joined depends on the one before it,
   * not on the whole text
   * @param text what was told of them
   */
  constructor(
    private readonly tokenizer: Tokenizer,
    before: readonly number[],
    text?: string,
  ) {
    this.#ids = [...before];
    this.#text = text ?? tokenizer.decode(this.#ids);
  }

  /** What was told, that of the prompt's last token included. */
  get text(): string {
    return this.#text;
  }

  next(id: number): string {
    this.#ids.push(id);
    const text = this.tokenizer.decode(this.#ids).replace(INCOMPLETE, '');
    if (!text.startsWith(this.#text)) return '';
    const piece = text.slice(this.#text.length);
    this.#text = text;
    return piece;
  }
}

/**
 * The tokens of a prompt whose end was generated: read from the text up to `start`, and from there on exactly the ids
 * that the model gave, which the text alone might be cut into otherwise.
 * @returns undefined where these ids do not make this text, as under another vocabulary, or more than `most` come before
 */
export function readWithEnd(
  tokenizer: Tokenizer,
  prompt: string,
  { start, ids }: Continuation,
  most = Number.POSITIVE_INFINITY,
): Token[] | undefined {
  const head = tokenizer.encodeWithin(prompt.slice(0, start), most);
  if (!head) return undefined;
  const { tokens } = head;
  const pieces = new Pieces(tokenizer, head.ids.slice(-1));
  let at = start;
  for (const id of ids) {
    const piece = pieces.next(id);
    if (!prompt.startsWith(piece, at)) return undefined;
    const text = tokenizer.tokenText(id);
    // Spaces that the decoder puts between words belong to no token.
    const gap = /^\s/.test(text) ? 0 : piece.length - piece.trimStart().length;
    tokens.push({ id, text, start: at + gap, end: at + piece.length });
    at += piece.length;
  }
  return at === prompt.length ? tokens : undefined;
}
