import * as tf from '@tensorflow/tfjs';
import { type Asked, type Batch, batchOf, promptBatch, saidAt } from '@/lib/data/batches';
import type { Row } from '@/lib/data/source';
import type { WordTokenizer } from '@/lib/data/word-tokenizer';
import type { Model } from '@/lib/models';

const ROWS = 128;

/** The word (id) that the model gives the highest logit after each prompt. The whole vocabulary competes. */
export function predictions(model: Model, tokenizer: WordTokenizer, examples: readonly Asked[]): number[] {
  const found: number[] = [];
  for (let from = 0; from < examples.length; from += ROWS) {
    const { B, L, tokens, last } = promptBatch(examples.slice(from, from + ROWS), tokenizer);
    const asked = [...new Set(last.map((place) => place % L))];
    const ids = tf.tensor2d(tokens, [B, L], 'int32');
    const logits = tf.tidy(() => model.forward(ids, { logits: asked }).dataSync());
    ids.dispose();
    const { V, vocabulary } = model.config;
    for (const place of last) {
      const row = Math.floor(place / L) * asked.length + asked.indexOf(place % L);
      const scores = logits.subarray(row * V, row * V + vocabulary);
      found.push(scores.indexOf(Math.max(...scores)));
    }
  }
  return found;
}

/** Share of prompts whose first predicted word is the answer. */
export function accuracy(model: Model, tokenizer: WordTokenizer, examples: readonly Asked[]): number {
  const found = predictions(model, tokenizer, examples);
  const right = examples.filter(({ target }, i) => tokenizer.words[found[i]] === target).length;
  return right / examples.length;
}

/** Answers that were right, and how many there were. */
export interface Accuracy {
  readonly accuracy: number;
  readonly n: number;
}

/** Tokens of an answer, as they should be and as the model has them, and the end of what it read before. */
export interface AnswerSample {
  readonly label?: string;
  readonly read: readonly number[];
  readonly wanted: readonly number[];
  readonly given: readonly number[];
}

/** A model on rows that it was not trained on. */
export interface Evaluation {
  readonly rows: number;
  /** Share of answers whose every token has the highest logit, the tokens before it given; null where none is asked. */
  readonly accuracy: number | null;
  /** The same by label of the answer. */
  readonly labels: Readonly<Record<string, Accuracy>>;
  /** Mean cross-entropies in nats; null where there is nothing of the kind. */
  readonly answers: number | null;
  readonly text: number | null;
  /** The last answers of the first rows that have any. */
  readonly samples: readonly AnswerSample[];
}

/** Answers that are written down, and tokens before each. */
const SAMPLES = 3;
const SAMPLE_CONTEXT = 24;

/** Logits that one batch of an evaluation may have: 128 MB. */
const MOST_LOGITS = 2 ** 25;

/** Cost: one forward pass over the rows, the shorter ones padded to the longest of their batch. */
export function evaluate(model: Model, rows: readonly Row[]): Evaluation {
  const { V } = model.config;
  const counts = new Map<string, { right: number; n: number }>();
  const sums = { answers: 0, text: 0 };
  const labelled = { answers: 0, text: 0 };
  const samples: AnswerSample[] = [];
  for (const part of batches(rows, Math.max(1, Math.floor(MOST_LOGITS / V)))) {
    const batch = batchOf(part);
    const { L } = batch;
    const { best, losses } = readOut(model, batch);
    for (let i = 0; i < losses.length; i++) {
      if (batch.labels[i] < 0) continue;
      sums.text += losses[i];
      labelled.text += 1;
      if (batch.answers[i] < 0) continue;
      sums.answers += losses[i];
      labelled.answers += 1;
    }
    part.forEach((row, b) => {
      const last = row.answers.at(-1);
      if (last && samples.length < SAMPLES) {
        const [from, to] = saidAt(row, last);
        if (to > from) samples.push(sampleOf(batch, best, b * L, [from, to], last.label));
      }
      for (const span of row.answers) {
        const { label = 'answer' } = span;
        const count = counts.get(label) ?? { right: 0, n: 0 };
        let right = true;
        const [from, to] = saidAt(row, span);
        for (let t = from; t < to; t++) right &&= best[b * L + t] === batch.labels[b * L + t];
        counts.set(label, { right: count.right + (right ? 1 : 0), n: count.n + 1 });
      }
    });
  }
  const total = [...counts.values()].reduce((sum, { right, n }) => ({ right: sum.right + right, n: sum.n + n }), {
    right: 0,
    n: 0,
  });
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const mean = (kind: 'answers' | 'text') => (labelled[kind] > 0 ? sums[kind] / labelled[kind] : null);
  return {
    rows: rows.length,
    accuracy: total.n > 0 ? total.right / total.n : null,
    labels: Object.fromEntries(sorted.map(([label, { right, n }]) => [label, { accuracy: right / n, n }])),
    answers: mean('answers'),
    text: mean('text'),
    samples,
  };
}

/** @param row where its first token stands in the batch @param said the positions of the row at which the answer is said */
function sampleOf(
  { tokens, labels }: Batch,
  best: ArrayLike<number>,
  row: number,
  [from, to]: readonly [from: number, to: number],
  label: string | undefined,
): AnswerSample {
  return {
    ...(label !== undefined && { label }),
    read: [...tokens.subarray(row + Math.max(0, from + 1 - SAMPLE_CONTEXT), row + from + 1)],
    wanted: [...labels.subarray(row + from, row + to)],
    given: Array.from({ length: to - from }, (_, k) => best[row + from + k]),
  };
}

/** Rows in order, as many at a time as have so many tokens once they are padded; at least one. */
function* batches(rows: readonly Row[], tokens: number): Generator<Row[]> {
  let batch: Row[] = [];
  let longest = 0;
  for (const row of rows) {
    const length = Math.max(longest, row.tokens.length);
    if (batch.length > 0 && length * (batch.length + 1) > tokens) {
      yield batch;
      batch = [];
      longest = 0;
    }
    batch.push(row);
    longest = Math.max(longest, row.tokens.length);
  }
  if (batch.length > 0) yield batch;
}

/** The token of the highest logit and −ln p(label) at every position of a batch; 0 where there is no label. */
function readOut(model: Model, { B, L, tokens, labels }: ReturnType<typeof batchOf>) {
  const { V, vocabulary } = model.config;
  return tf.tidy(() => {
    const logits = model.forward(tf.tensor2d(tokens, [B, L], 'int32')).reshape([B * L, V]) as tf.Tensor2D;
    const named = logits.slice([0, 0], [-1, vocabulary]);
    const index = tf.tensor2d(
      Int32Array.from(labels, (label, i) => (label < 0 ? 0 : label) + i * V),
      [B * L, 1],
      'int32',
    );
    const own = logits.reshape([-1]).gather(index.reshape([-1]) as tf.Tensor1D);
    const losses = tf.logSumExp(logits, 1).sub(own).dataSync();
    return { best: named.argMax(1).dataSync(), losses: losses.map((loss, i) => (labels[i] < 0 ? 0 : loss)) };
  });
}
