import type { Real } from './real';

/** What is measured of one distribution over the vocabulary, in the order in which `lensStatistics` returns it. */
export const LENS_VALUES = [
  'target_logprob',
  'target_rank',
  'margin',
  'entropy',
  'kl_final_lens',
  'kl_lens_final',
  'snr_vocab',
  'log_sum_exp',
  'target_log_odds',
  'margin_std',
] as const;

export type LensValue = (typeof LENS_VALUES)[number];

export interface LensInput {
  /** Streams; the last one is the final one. */
  readonly S: number;
  /** Positions. */
  readonly C: number;
  readonly d: number;
  readonly V: number;
  /** [S,C,d], normalised. */
  readonly hidden: Real;
  /** [V,d] */
  readonly head: Real;
  /** Token ids [U] whose logits are wanted. */
  readonly ids: Int32Array;
  /** Place in `ids` of every position's target, [C]. */
  readonly targets: Int32Array;
  readonly topK: number;
}

export interface LensOutput {
  /** [S,C,10], in the order of {@link LENS_VALUES}. */
  readonly statistics: Float64Array;
  /** Logits of `ids`, [S,C,U]. */
  readonly logits: Float64Array;
  /** The largest logits and their token ids, [S,C,k], largest first, equal ones by the smaller id. */
  readonly topValues: Float64Array;
  readonly topIds: Float64Array;
}

/**
 * Statistics of the logits z = hidden · headᵀ of every stream and position, with p = softmax(z), target t and the final
 * stream's distribution f at the same position; natural logarithms:
 *
 *     target_logprob    ln p_t
 *     target_rank       tokens with a logit strictly above z_t (0 = top)
 *     margin            z_t − max_{j≠t} z_j
 *     entropy           −Σ p ln p
 *     kl_final_lens     Σ f ln(f/p)
 *     kl_lens_final     Σ p ln(p/f)
 *     snr_vocab         (z_t − mean)/std over all j ≠ t, population standard deviation
 *     log_sum_exp       ln Σ exp(z)
 *     target_log_odds   ln p_t/(1 − p_t) = z_t − ln Σ_{j≠t} exp(z_j)
 *     margin_std        margin/std, the standard deviation that of snr_vocab
 *
 * All are NaN where a logit is not finite or too large for its square to be a float32.
 */
export function lensStatistics({ S, C, d, V, hidden, head, ids, targets, topK }: LensInput): LensOutput {
  const rowOf = (s: number, c: number) => {
    const x = hidden.subarray((s * C + c) * d, (s * C + c + 1) * d);
    return Float64Array.from({ length: V }, (_, j) => {
      let z = 0;
      for (let i = 0; i < d; i++) z += x[i] * head[j * d + i];
      return z;
    });
  };
  const output = emptyLens(S * C, ids.length, topK);
  for (let c = 0; c < C; c++) {
    const final = rowOf(S - 1, c);
    for (let s = 0; s < S; s++)
      writeLensRow(output, s * C + c, s === S - 1 ? final : rowOf(s, c), final, ids, targets[c], topK);
  }
  return output;
}

export const emptyLens = (rows: number, U: number, topK: number): LensOutput => ({
  statistics: new Float64Array(rows * LENS_VALUES.length),
  logits: new Float64Array(rows * U),
  topValues: new Float64Array(rows * topK),
  topIds: new Float64Array(rows * topK),
});

/** Measures the logits z [V] of one row into the output; `slot` is the target's place in `ids`. */
export function writeLensRow(
  { statistics, logits, topValues, topIds: places }: LensOutput,
  row: number,
  z: Real,
  final: Real,
  ids: Int32Array,
  slot: number,
  topK: number,
): void {
  const values = rowStatistics(z, ids[slot], final);
  LENS_VALUES.forEach((name, i) => {
    statistics[row * LENS_VALUES.length + i] = values[name];
  });
  ids.forEach((id, u) => {
    logits[row * ids.length + u] = z[id];
  });
  topIds(z, topK).forEach((id, k) => {
    topValues[row * topK + k] = z[id];
    places[row * topK + k] = id;
  });
}

const NOT_FINITE = Object.fromEntries(LENS_VALUES.map((name) => [name, Number.NaN])) as Record<LensValue, number>;

/** Statistics of one row of logits z [V], as {@link lensStatistics} defines them. Cost: two exponentials per logit, three where the target is the top. */
export function rowStatistics(z: Real, target: number, final: Real): Readonly<Record<LensValue, number>> {
  const V = z.length;
  const zt = z[target];
  let top = Number.NEGATIVE_INFINITY;
  let total = 0;
  let rank = 0;
  for (let j = 0; j < V; j++) {
    if (j === target) continue;
    total += z[j];
    if (z[j] > top) top = z[j];
    if (z[j] > zt) rank += 1;
  }
  const mean = total / (V - 1);
  const shift = Math.max(top, zt);
  let finalShift = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < V; j++) finalShift = Math.max(finalShift, final[j]);
  let [sum, rest, own, other, finalSum, finalOwn, cross, squares] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let j = 0; j < V; j++) {
    const [above, finalAbove] = [z[j] - shift, final[j] - finalShift];
    const [e, f] = [Math.exp(above), Math.exp(finalAbove)];
    sum += e;
    own += e * above;
    other += e * finalAbove;
    finalSum += f;
    finalOwn += f * finalAbove;
    cross += f * above;
    if (j === target) continue;
    squares += (z[j] - mean) ** 2;
    // Against the largest of the others: what is left of a probability close to 1 must not be lost.
    rest += shift === top ? e : Math.exp(z[j] - top);
  }
  if (!Number.isFinite(Math.fround(squares + total + zt))) return NOT_FINITE;
  const [logSum, logFinal, std] = [Math.log(sum), Math.log(finalSum), Math.sqrt(squares / (V - 1))];
  return {
    target_logprob: zt - shift - logSum,
    target_rank: rank,
    margin: zt - top,
    entropy: logSum - own / sum,
    // Differences of larger sums: equal distributions would leave rounding of either sign.
    kl_final_lens: Math.max(0, (finalOwn - cross) / finalSum - logFinal + logSum),
    kl_lens_final: Math.max(0, (own - other) / sum - logSum + logFinal),
    snr_vocab: (zt - mean) / std,
    log_sum_exp: shift + logSum,
    target_log_odds: zt - top - Math.log(rest),
    margin_std: (zt - top) / std,
  };
}

/** Ids of the k largest logits, largest first; equal logits by the smaller id. Cost: one pass for small k. */
export function topIds(z: Real, k: number): number[] {
  const ids: number[] = [];
  if (k === 0) return ids;
  for (let j = 0; j < z.length; j++) {
    if (ids.length === k && z[j] <= z[ids[k - 1]]) continue;
    let place = ids.length;
    while (place > 0 && z[ids[place - 1]] < z[j]) place -= 1;
    ids.splice(place, 0, j);
    if (ids.length > k) ids.pop();
  }
  return ids;
}
