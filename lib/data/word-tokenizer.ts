import { ANSWER_CUE, OBJECTS, PERSONS, QUESTIONS, ROOMS, TEMPLATES } from './vocabulary';

/** A word or a run of punctuation with its span in the text, in UTF-16 code units. */
export interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Cuts text as the `Whitespace` pre-tokeniser of `tokenizer.json` does: runs of word characters, runs of other signs. */
export function splitWords(text: string): Word[] {
  return Array.from(text.matchAll(/\w+|[^\w\s]+/g), (match) => ({
    text: match[0],
    start: match.index,
    end: match.index + match[0].length,
  }));
}

export const UNKNOWN = '[UNK]';
export const PADDING = '[PAD]';

/** A word-level vocabulary: id = place in the list. */
export interface WordTokenizer {
  readonly words: readonly string[];
  /** Ids of the words of a text; unknown words become `[UNK]`. */
  encode(text: string): number[];
}

/** @param words the vocabulary in the order of its ids; the first must be `[UNK]`. */
export function wordTokenizer(words: readonly string[]): WordTokenizer {
  const ids = new Map(words.map((word, id) => [word, id]));
  const unknown = ids.get(UNKNOWN) ?? 0;
  return { words, encode: (text) => splitWords(text).map((word) => ids.get(word.text) ?? unknown) };
}

/** The vocabulary of the retrieval task: two special tokens, names, and every word of the templates, each once. */
export function retrievalVocabulary(): string[] {
  const templates = [...Object.values(TEMPLATES).flat(), ...Object.values(QUESTIONS), ANSWER_CUE];
  const words = templates.flatMap((template) =>
    splitWords(template.replaceAll(/\{.\}/g, ' ')).map((word) => word.text),
  );
  return [...new Set([UNKNOWN, PADDING, ...PERSONS, ...ROOMS, ...OBJECTS, ...words])];
}

/**
 * The vocabulary as a Hugging Face `tokenizer.json`: WordLevel model, Whitespace pre-tokeniser, case kept. The decoder
 * joins words by spaces and closes the gap before punctuation.
 */
export function tokenizerJson(words: readonly string[]): object {
  const special = (content: string) => ({
    id: words.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [UNKNOWN, PADDING].filter((token) => words.includes(token)).map(special),
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'WordPiece', prefix: '##', cleanup: true },
        { type: 'Replace', pattern: { String: ' :' }, content: ':' },
      ],
    },
    model: { type: 'WordLevel', vocab: Object.fromEntries(words.map((word, id) => [word, id])), unk_token: UNKNOWN },
  };
}
