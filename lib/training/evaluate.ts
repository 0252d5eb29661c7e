import * as tf from '@tensorflow/tfjs';
import { type Asked, promptBatch } from '@/lib/data/batches';
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
