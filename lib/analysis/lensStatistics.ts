/** Statistics of one distribution over the vocabulary, in the order in which they are stored and written. */
export const LENS_STATISTICS = [
  'target_prob',
  'target_logprob',
  'target_rank',
  'log_odds',
  'entropy',
  'kl_final_lens',
  'kl_lens_final',
  'snr_vocab',
  'snr_candidates',
] as const;

export type LensStatistic = (typeof LENS_STATISTICS)[number];

export type RowStatistics = Readonly<Record<LensStatistic, number>>;

/** The model's final distribution at one position, ready to be compared with. */
export interface FinalRow {
  readonly logits: Float32Array;
  /** ln Σ exp(logits) */
  readonly logSumExp: number;
  readonly probabilities: Float64Array;
  /** Σ f ln f */
  readonly negativeEntropy: number;
}

/** ln Σ_j exp(z_j), in float64. */
export function logSumExp(z: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < z.length; j++) if (z[j] > top) top = z[j];
  let sum = 0;
  for (let j = 0; j < z.length; j++) sum += Math.exp(z[j] - top);
  return top + Math.log(sum);
}

export function finalRow(logits: Float32Array): FinalRow {
  const lse = logSumExp(logits);
  const probabilities = new Float64Array(logits.length);
  let negativeEntropy = 0;
  for (let j = 0; j < logits.length; j++) {
    const p = Math.exp(logits[j] - lse);
    probabilities[j] = p;
    negativeEntropy += p * (logits[j] - lse);
  }
  return { logits, logSumExp: lse, probabilities, negativeEntropy };
}

/**
 * Every statistic of logits z [V] with p = softmax(z), target t and final distribution f; natural logarithms, float64,
 * nothing rounded:
 *
 *     target_prob p_t            target_logprob ln p_t
 *     target_rank                tokens with a logit strictly above z_t (0 = top)
 *     log_odds                   z_t − max_{j≠t} z_j
 *     entropy                    −Σ p ln p
 *     kl_final_lens              Σ f ln(f/p)
 *     kl_lens_final              Σ p ln(p/f)
 *     snr_vocab                  (z_t − mean)/std over all j ≠ t, population standard deviation
 *     snr_candidates             the same over the candidates other than t; NaN with fewer than two of them
 *
 * Cost: one exponential and three passes over V.
 */
export function rowStatistics(
  z: Float32Array,
  target: number,
  final: FinalRow,
  candidates: readonly number[] = [],
): RowStatistics {
  const V = z.length;
  const zt = z[target];
  let top = Number.NEGATIVE_INFINITY;
  let total = 0;
  let rank = 0;
  for (let j = 0; j < V; j++) {
    if (j === target) continue;
    const value = z[j];
    total += value;
    if (value > top) top = value;
    if (value > zt) rank += 1;
  }
  const mean = total / (V - 1);
  const shift = Math.max(top, zt);
  let sum = 0;
  let weighted = 0;
  let againstFinal = 0;
  let cross = 0;
  let squares = 0;
  for (let j = 0; j < V; j++) {
    const above = z[j] - shift;
    const e = Math.exp(above);
    sum += e;
    weighted += e * above;
    againstFinal += e * (final.logits[j] - final.logSumExp);
    cross += final.probabilities[j] * above;
    if (j !== target) squares += (z[j] - mean) ** 2;
  }
  const logSum = Math.log(sum);
  const logProbability = zt - shift - logSum;
  const negativeEntropy = weighted / sum - logSum;
  return {
    target_prob: Math.exp(logProbability),
    target_logprob: logProbability,
    target_rank: rank,
    log_odds: zt - top,
    entropy: -negativeEntropy,
    // Both are differences of larger sums, so that equal distributions would give rounding of either sign.
    kl_final_lens: Math.max(0, final.negativeEntropy - (cross - logSum)),
    kl_lens_final: Math.max(0, negativeEntropy - againstFinal / sum),
    snr_vocab: (zt - mean) / Math.sqrt(squares / (V - 1)),
    snr_candidates: signalToNoise(zt, otherLogits(z, target, candidates)),
  };
}

const otherLogits = (z: Float32Array, target: number, candidates: readonly number[]) =>
  [...new Set(candidates)].filter((id) => id !== target).map((id) => z[id]);

function signalToNoise(signal: number, noise: readonly number[]): number {
  if (noise.length < 2) return Number.NaN;
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const variance = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noise.length;
  return (signal - mean) / Math.sqrt(variance);
}

/** Ids of the k largest logits, largest first; equal logits by the smaller id. Cost: one pass for small k. */
export function topIds(z: Float32Array, k: number): number[] {
  const ids: number[] = [];
  for (let j = 0; j < z.length; j++) {
    if (ids.length === k && z[j] <= z[ids[k - 1]]) continue;
    let place = ids.length;
    while (place > 0 && z[ids[place - 1]] < z[j]) place -= 1;
    ids.splice(place, 0, j);
    if (ids.length > k) ids.pop();
  }
  return ids;
}
