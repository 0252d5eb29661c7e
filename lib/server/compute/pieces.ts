import type { Continuation } from '@/lib/api/schemas';
import type { Token, Tokenizer } from '@/lib/tokenizer';

/** What a decoder writes for bytes that are no character yet. */
const INCOMPLETE = /\uFFFD+$/;

/** Tells what each token adds to the text: spaces as the decoder puts them, and no half characters. */
export class Pieces {
  readonly #ids: number[];
  #text: string;

  constructor(
    private readonly tokenizer: Tokenizer,
    prompt: readonly number[],
  ) {
    // How a token is joined depends on the one before it, not on the whole text.
    this.#ids = prompt.slice(-1);
    this.#text = tokenizer.decode(this.#ids);
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
 * @returns undefined where these ids do not make this text, as under another vocabulary
 */
export function readWithEnd(tokenizer: Tokenizer, prompt: string, { start, ids }: Continuation): Token[] | undefined {
  const { tokens, ids: head } = tokenizer.encode(prompt.slice(0, start));
  const pieces = new Pieces(tokenizer, head);
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
