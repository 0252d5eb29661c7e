import { rowStatistics, topIds } from '@/kernels/reference/lens-statistics';
import { signalToNoise } from '../lensStatistics';
import { measure, type Question } from './question';

/** What a changed model says at the position that is read; definitions as those of the lens. */
export interface Reading {
  /** z_target − z_foil, or z_target without a foil. */
  readonly value: number;
  readonly target_prob: number;
  readonly target_rank: number;
  readonly target_log_odds: number;
  readonly margin: number;
  readonly margin_std: number;
  readonly snr_vocab: number;
  /** NaN with fewer than two candidates besides the target. */
  readonly snr_candidates: number;
  /** KL(unchanged ‖ changed), nats: how much of the whole answer changed. */
  readonly kl: number;
  /** The strongest token. */
  readonly answer: number;
}

/** What a model says after a removal, and what it says where no norm rescales what remains. */
export interface Removed extends Reading {
  /** value − that of the unchanged model. */
  readonly change: number;
  /** With every norm dividing as in the untouched pass. */
  readonly frozen_norms: Reading & { readonly change: number };
}

/** @param plain, frozen [V] of the changed model @param base [V] of the unchanged one */
export function removedOf(
  plain: Float32Array,
  frozen: Float32Array,
  base: Float32Array,
  question: Parameters<typeof readingOf>[2],
): Removed {
  const before = measure(base, question);
  const changed = (logits: Float32Array) => {
    const reading = readingOf(logits, base, question);
    return { ...reading, change: reading.value - before };
  };
  return { ...changed(plain), frozen_norms: changed(frozen) };
}

/** @param logits [V] of the changed model @param base [V] of the unchanged one */
export function readingOf(
  logits: Float32Array,
  base: Float32Array,
  question: Question & { readonly candidates?: readonly number[] },
): Reading {
  const { target, candidates = [] } = question;
  const found = rowStatistics(logits, target, base);
  const others = [...new Set(candidates)].filter((id) => id !== target);
  return {
    value: measure(logits, question),
    target_prob: Math.exp(found.target_logprob),
    target_rank: found.target_rank,
    target_log_odds: found.target_log_odds,
    margin: found.margin,
    margin_std: found.margin_std,
    snr_vocab: found.snr_vocab,
    snr_candidates: signalToNoise(
      logits[target],
      others.map((id) => logits[id]),
    ),
    kl: found.kl_final_lens,
    answer: topIds(logits, 1)[0],
  };
}
