import type { RetrievalExample } from './retrieval';
import type { AnswerSpan, Row } from './source';
import { PADDING, type WordTokenizer } from './word-tokenizer';

/** Right-padded token rows with their labels, all [B, L] in row-major order. */
export interface Batch {
  readonly B: number;
  readonly L: number;
  readonly tokens: Int32Array;
  /** What is to be said at every position, the next token unless the row has targets; −1 where there is nothing. */
  readonly labels: Int32Array;
  /** The same where it is in an answer; −1 elsewhere. */
  readonly answers: Int32Array;
}

/** Pads rows to the longest. Padding comes last, so that a causal model never reads it before a real token. */
export function padRows(rows: readonly ArrayLike<number>[], padding: number): { L: number; tokens: Int32Array } {
  const L = Math.max(...rows.map((row) => row.length));
  const tokens = new Int32Array(rows.length * L).fill(padding);
  rows.forEach((row, b) => {
    tokens.set(row, b * L);
  });
  return { L, tokens };
}

/** Positions [from, to) of a row at which an answer is said; nothing comes before token 0, so that nobody can say it. */
export function saidAt({ targets }: Row, { start, end }: AnswerSpan): readonly [from: number, to: number] {
  return targets ? [start, end] : [Math.max(1, start) - 1, Math.max(1, end) - 1];
}

/** Rows as a batch; padding is token 0, which no label names there. */
export function batchOf(rows: readonly Row[]): Batch {
  const { L, tokens } = padRows(
    rows.map((row) => row.tokens),
    0,
  );
  const labels = new Int32Array(tokens.length).fill(-1);
  const answers = new Int32Array(tokens.length).fill(-1);
  rows.forEach((row, b) => {
    labels.set(row.targets ?? row.tokens.subarray(1), b * L);
    for (const span of row.answers) {
      const [from, to] = saidAt(row, span);
      answers.set(labels.subarray(b * L + from, b * L + to), b * L + from);
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
