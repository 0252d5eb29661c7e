import { topIds } from '@/lib/analysis/lensStatistics';
import { InputError } from '@/lib/input-error';
import { Random } from '@/lib/random';

export interface Sampling {
  /** Divides the logits; absent: the best token is always taken. */
  readonly temperature?: number;
  /** Only the k most likely tokens. */
  readonly topK?: number;
  /** Only the most likely tokens that together reach this probability, after the temperature and among the top k. */
  readonly topP?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * How the next token of one row is picked from its logits [V]: the best one, or a sample of softmax(logits / temperature)
 * among the top k and of those the nucleus that reaches p (Holtzman et al., arXiv 1904.09751). Each row of a batch draws
 * from a stream of its own, given by seed and row, so that what happens in one row does not change another.
 * Cost: O(V k) with `topK`, else O(V log V) with `topP`, else O(V).
 *
 * @throws InputError where a limit is given without a temperature, or is not in its range
 */
export function sampler({ temperature, topK, topP, seed = 0 }: Sampling, row = 0): (logits: Float32Array) => number {
  if (temperature === undefined) {
    if (topK !== undefined || topP !== undefined)
      throw new InputError('Top-k and top-p need a temperature: without one the best token is always taken.');
    return (logits) => topIds(logits, 1)[0];
  }
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw new InputError(`Top-p is ${topP}; it must be above 0 and at most 1.`);
  const random = new Random(seed + row * 2 ** 32);
  return (logits) => {
    const ids = candidates(logits, topK, topP !== undefined);
    const top = ids.reduce((most, id) => Math.max(most, logits[id]), Number.NEGATIVE_INFINITY);
    const weights = ids.map((id) => Math.exp((logits[id] - top) / temperature));
    return ids[draw(topP === undefined ? weights : nucleus(weights, topP), random)];
  };
}

/** Token ids that may be drawn, the best first where `sorted` or limited to k. */
function candidates(logits: Float32Array, topK: number | undefined, sorted: boolean): number[] {
  if (topK !== undefined) return topIds(logits, topK);
  const ids = Array.from(logits.keys());
  return sorted ? ids.sort((a, b) => logits[b] - logits[a]) : ids;
}

/** The fewest first weights that reach the share p of all. */
function nucleus(weights: readonly number[], p: number): number[] {
  const enough = p * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const last = weights.findIndex((weight) => {
    sum += weight;
    return sum >= enough;
  });
  return weights.slice(0, last < 0 ? weights.length : last + 1);
}

/** A place with probability proportional to its weight. */
function draw(weights: readonly number[], random: Random): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const place = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return place < 0 ? weights.length - 1 : place;
}
