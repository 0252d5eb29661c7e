import type { Model } from '@/lib/models';
import type { SignalMetric } from '@/lib/vocabulary';
import { headlineSteps } from './allocation/allocation';
import { lensOf, type Residuals, type Translator } from './lens';
import type { Span } from './span';
import { drain } from './steps';

/** One value per entry, unrounded; NaN where a measure is not defined. */
export type SignalCurves = Readonly<Record<SignalMetric, Float64Array>> & {
  /** `embedding`, `layer 0` …, `final`. */
  readonly entries: readonly string[];
};

export interface SignalRequest {
  readonly position: number;
  readonly target: number;
  readonly needle?: Span;
  readonly competing?: readonly Span[];
  readonly question?: readonly Span[];
  readonly candidates?: readonly number[];
  /** Makes it a tuned lens: one translator per block, and no entry `embedding`. */
  readonly translators?: readonly Translator[];
}

/**
 * The signal-to-noise measures of one prompt at one position, per entry of the lens: probability, log-odds and margin of
 * the target, SNR over the vocabulary and over the candidates, and
 * the needle against the context (layers only, and only with a needle).
 * @param residuals of one row
 * @throws InputError for a position, target or candidates that do not fit.
 */
export function signalAt(
  model: Model,
  residuals: Residuals,
  { position, target, needle, competing, question, candidates, translators }: SignalRequest,
): SignalCurves {
  const { entries, statistics } = lensOf(model, residuals, {
    targets: [target],
    candidates: candidates && [candidates],
    positions: [position],
    translators,
  });
  const shares = new Float64Array(entries.length).fill(Number.NaN);
  if (needle) {
    const L = position + 1;
    const streams = residuals.streams.map((stream) => stream.subarray(0, L * model.config.d));
    const found = drain(headlineSteps(model, { streams, L }, { needle, competing, question }));
    for (const [layer, share] of found.entries()) shares[entries.indexOf(`layer ${layer}`)] = share;
  }
  return { ...statistics, entries, needle_against_context: shares };
}
