import { topIds } from '@/lib/analysis/lensStatistics';
import { Random } from '@/lib/data/random';

export interface SamplingOptions {
  /** Absent: greedy. */
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed: number;
}

/** How the next token is picked from logits [V]: the best one, or a sample of softmax(logits / temperature). */
export function chooser({ temperature, topK, seed }: SamplingOptions): (logits: Float32Array) => number {
  if (temperature === undefined) return (logits) => topIds(logits, 1)[0];
  const random = new Random(seed);
  return (logits) => {
    const ids = topK === undefined ? Array.from(logits.keys()) : topIds(logits, topK);
    const top = ids.reduce((most, id) => Math.max(most, logits[id]), Number.NEGATIVE_INFINITY);
    const weights = ids.map((id) => Math.exp((logits[id] - top) / temperature));
    let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    const place = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return ids[place < 0 ? ids.length - 1 : place];
  };
}
