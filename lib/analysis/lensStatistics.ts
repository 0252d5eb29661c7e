import { LENS_VALUES, type LensValues } from '@/kernels/ops';
import type { LensStatistic } from '@/lib/vocabulary';

export { topIds } from '@/kernels/reference/lens-statistics';

/** Statistics of one distribution over the vocabulary. */
export type RowStatistics = Readonly<Record<LensStatistic, number>>;

const PLACE = Object.fromEntries(LENS_VALUES.map((name, place) => [name, place])) as Record<
  (typeof LENS_VALUES)[number],
  number
>;

/**
 * Every statistic of one row of a lens. Natural logarithms, float32 as the device computed them; definitions at
 * `lensStatistics` of `kernels/reference`, and
 *
 *     target_prob        p_t
 *     snr_candidates     (z_t − mean)/std over the candidates other than t, population standard deviation; NaN with
 *                        fewer than two of them
 *
 * @param ids token ids of the logits that the lens kept
 * @returns undefined where a logit is not finite
 */
export function rowStatistics(
  { statistics, logits }: LensValues,
  row: number,
  ids: readonly number[],
  target: number,
  candidates: readonly number[] = [],
): RowStatistics | undefined {
  const value = (name: keyof typeof PLACE) => statistics[row * LENS_VALUES.length + PLACE[name]];
  if (Number.isNaN(value('log_sum_exp'))) return undefined;
  const logit = (id: number) => logits[row * ids.length + ids.indexOf(id)];
  const others = [...new Set(candidates)].filter((id) => id !== target);
  return {
    target_prob: Math.exp(value('target_logprob')),
    target_logprob: value('target_logprob'),
    target_rank: value('target_rank'),
    target_log_odds: value('target_log_odds'),
    margin: value('margin'),
    margin_std: value('margin_std'),
    entropy: value('entropy'),
    kl_final_lens: value('kl_final_lens'),
    kl_lens_final: value('kl_lens_final'),
    snr_vocab: value('snr_vocab'),
    snr_candidates: signalToNoise(logit(target), others.map(logit)),
  };
}

/** The k strongest tokens of one row with their probabilities, strongest first. */
export function strongest({ statistics, topValues, topIds }: LensValues, row: number, k: number) {
  const logSum = statistics[row * LENS_VALUES.length + PLACE.log_sum_exp];
  return {
    ids: topIds.subarray(row * k, (row + 1) * k),
    probabilities: topValues.slice(row * k, (row + 1) * k).map((value) => Math.exp(value - logSum)),
  };
}

/** (signal − mean)/std of the noise, population standard deviation; NaN with fewer than two values of it. */
export function signalToNoise(signal: number, noise: readonly number[]): number {
  if (noise.length < 2) return Number.NaN;
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const variance = noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noise.length;
  return (signal - mean) / Math.sqrt(variance);
}
