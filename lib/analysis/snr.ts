import type { Model } from '@/lib/models';
import type { SignalMetric } from '@/lib/vocabulary';
import { lensOf, type Residuals, type Translator } from './lens';

/** One value per entry, unrounded; NaN where a measure is not defined. */
export type SignalCurves = Readonly<Record<Exclude<SignalMetric, 'needle_against_context'>, Float64Array>> & {
  /** `embedding`, `layer 0` …, `final`. */
  readonly entries: readonly string[];
};

export interface SignalRequest {
  readonly position: number;
  readonly target: number;
  readonly candidates?: readonly number[];
  /** Makes it a tuned lens: one translator per block, and no entry `embedding`. */
  readonly translators?: readonly Translator[];
}

/**
 * The signal-to-noise measures of one prompt at one position, per entry of the lens: probability, log-odds and margin of
 * the target, SNR over the vocabulary and over the candidates.
 * @param residuals of one row
 * @throws InputError for a position, target or candidates that do not fit.
 */
export function signalAt(
  model: Model,
  residuals: Residuals,
  { position, target, candidates, translators }: SignalRequest,
): SignalCurves {
  const { entries, statistics } = lensOf(model, residuals, {
    targets: [target],
    candidates: candidates && [candidates],
    positions: [position],
    translators,
  });
  return { ...statistics, entries };
}
