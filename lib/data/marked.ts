import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { saidAt } from './batches';
import type { Row } from './source';

/** What a token of a row is: a part of an answer, or of its class; filler where nothing is known of it. */
export type TokenMark = TokenClass | 'answer';

/** A run of tokens that are alike. */
export interface MarkedRun {
  readonly mark: TokenMark;
  readonly start: number;
  readonly end: number;
}

/**
 * The runs of a row from its first token to its last. The token at which the last answer is read is `self`, token 0 `first`, as in
 * allocation; a span is a run of its own.
 */
export function markedRuns(row: Row): MarkedRun[] {
  const { tokens, answers, classes, targets } = row;
  const marks = Array<TokenMark>(tokens.length).fill('filler');
  /** Which span a token is of; 0 is none. */
  const spans = new Int32Array(tokens.length);
  let count = 0;
  const put = (mark: TokenMark, start: number, end: number) => {
    marks.fill(mark, start, end);
    spans.fill(++count, start, end);
  };
  if (classes) {
    put('first', 0, 1);
    // The first class that applies is written last.
    for (const name of [...TOKEN_CLASSES].reverse())
      for (const [start, end] of classes[name] ?? []) put(name, start, end);
  }
  const last = answers.at(-1);
  if (last && classes) {
    const [read] = saidAt(row, last);
    put('self', read, read + 1);
  }
  if (!targets) for (const { start, end } of answers) put('answer', start, end);
  const runs: { mark: TokenMark; start: number; end: number }[] = [];
  marks.forEach((mark, t) => {
    const run = runs.at(-1);
    if (run && spans[t] === spans[run.start]) run.end = t + 1;
    else runs.push({ mark, start: t, end: t + 1 });
  });
  return runs;
}
