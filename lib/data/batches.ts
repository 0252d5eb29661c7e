import type { Random } from '@/lib/random';
import { type LessonOptions, type RetrievalExample, retrievalLesson } from './retrieval';
import { ANSWER_CUE } from './vocabulary';
import { PADDING, type WordTokenizer } from './word-tokenizer';

/** Right-padded token rows with their labels, all [B, L] in row-major order. */
export interface Batch {
  readonly B: number;
  readonly L: number;
  readonly tokens: Int32Array;
  /** The next token at every position; −1 where there is none. */
  readonly labels: Int32Array;
  /** The next token where it is an answer; −1 elsewhere. */
  readonly answers: Int32Array;
}

/** Pads rows to the longest. Padding comes last, so that a causal model never reads it before a real token. */
export function padRows(rows: readonly (readonly number[])[], padding: number): { L: number; tokens: Int32Array } {
  const L = Math.max(...rows.map((row) => row.length));
  const tokens = new Int32Array(rows.length * L).fill(padding);
  rows.forEach((row, b) => {
    tokens.set(row, b * L);
  });
  return { L, tokens };
}

export interface LessonBatchOptions {
  readonly size: number;
  /** Fewest and most sentences of a story, both included. */
  readonly sentences: readonly [number, number];
  readonly questions: LessonOptions['questions'];
}

/** A batch of training lessons; deterministic in the state of `random`. */
export function lessonBatch(random: Random, tokenizer: WordTokenizer, options: LessonBatchOptions): Batch {
  const rows = Array.from({ length: options.size }, () => {
    const sentences = random.integer(...options.sentences);
    return tokenizer.encode(retrievalLesson(random, { sentences, questions: options.questions, split: 'train' }));
  });
  const { L, tokens } = padRows(rows, tokenizer.words.indexOf(PADDING));
  const labels = new Int32Array(tokens.length).fill(-1);
  const answers = new Int32Array(tokens.length).fill(-1);
  const cue = tokenizer.encode(ANSWER_CUE).at(-1);
  rows.forEach((row, b) => {
    for (let t = 0; t + 1 < row.length; t++) {
      labels[b * L + t] = row[t + 1];
      if (row[t] === cue) answers[b * L + t] = row[t + 1];
    }
  });
  return { B: rows.length, L, tokens, labels, answers };
}

/** A prompt with its answer. */
export type Asked = Pick<RetrievalExample, 'prompt' | 'target'>;

/** Prompts as one batch, with the position of each one's last token in the flat rows. */
export function promptBatch(examples: readonly Asked[], tokenizer: WordTokenizer) {
  const rows = examples.map(({ prompt }) => tokenizer.encode(prompt));
  const { L, tokens } = padRows(rows, tokenizer.words.indexOf(PADDING));
  return {
    B: rows.length,
    L,
    tokens,
    last: rows.map((row, b) => b * L + row.length - 1),
    targets: examples.map(({ target }) => tokenizer.encode(target)[0]),
  };
}
