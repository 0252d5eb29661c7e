import { topIds } from '@/lib/analysis/lensStatistics';

/** What a model thought of the next token when one was added. */
export interface NextToken {
  /** Of the token that was added, softmax of the logits: the model's own, whatever the sampling made of it. */
  readonly probability: number;
  /** 1 is the most likely token. */
  readonly rank: number;
  /** Of the whole distribution, nats. */
  readonly entropy: number;
  /** The most likely tokens, best first. */
  readonly alternatives: readonly { readonly id: number; readonly probability: number }[];
}

/** @param logits [V] that the token `chosen` was picked from. Cost: O(V k). */
export function nextToken(logits: Float32Array, chosen: number, k: number): NextToken {
  const top = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  let sum = 0;
  let weighted = 0;
  let above = 0;
  for (const [id, value] of logits.entries()) {
    const weight = Math.exp(value - top);
    sum += weight;
    weighted += weight * (value - top);
    if (value > logits[chosen] || (value === logits[chosen] && id < chosen)) above++;
  }
  const probabilityOf = (id: number) => Math.exp(logits[id] - top) / sum;
  const alternatives = topIds(logits, Math.min(k, logits.length)).map((id) => ({ id, probability: probabilityOf(id) }));
  return {
    probability: probabilityOf(chosen),
    rank: above + 1,
    alternatives,
    entropy: Math.max(0, Math.log(sum) - weighted / sum),
  };
}
