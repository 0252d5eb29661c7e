import type { Model } from '@/lib/models';
import type { SignalMetric } from '@/lib/vocabulary';
import { lensOf, type Residuals, type Translator } from './lens';
import { attentionOf, type BlockCache } from './s6Attention';

/** The tokens of the needle, [start, end). */
export type Span = readonly [start: number, end: number];

/**
 * Share of what position i reads, by magnitude, that comes from the needle's tokens:
 * Σ_{j ∈ needle} |M[i,j]| / Σ_{j ≤ i} |M[i,j]|, between 0 and 1; NaN where the row is zero. Needle tokens after i count nothing.
 * @param map [L,L], target by source
 */
export function attentionShare(map: Float32Array, L: number, position: number, [start, end]: Span): number {
  let signal = 0;
  let total = 0;
  for (let j = 0; j <= position; j++) {
    const magnitude = Math.abs(map[position * L + j]);
    total += magnitude;
    if (j >= start && j < end) signal += magnitude;
  }
  return signal / total;
}

/**
 * The map whose row attention SNR is taken from: `mean_abs` of a plain block, the mean over channels of |α|. In a
 * differential block the branches must cancel before magnitudes are taken, so there it is `mean` of `diff`, A₁ − λA₂. All
 * heads of an SSD scan with one group have the same sign at a pair of positions: there it is `mean`, which has the same
 * magnitudes and is every block's first map. Undefined for a λ per channel.
 */
export function snrView({ scans, lambda }: BlockCache) {
  const scan = scans.get('single');
  if (!scan) return typeof lambda === 'number' ? ({ branch: 'diff', reduce: 'mean' } as const) : undefined;
  const oneSign = scan.family === 'mamba2' && scan.G === 1;
  return { branch: 'single', reduce: oneSign ? 'mean' : 'mean_abs' } as const;
}

/** Attention SNR of one layer: {@link attentionShare} of the map of {@link snrView}; NaN where it is not defined. */
export function attentionSnr(block: BlockCache, position: number, needle: Span): number {
  const view = snrView(block);
  if (!view) return Number.NaN;
  const { map, L } = attentionOf(block, view);
  return attentionShare(map, L, position, needle);
}

/** One value per entry, unrounded; NaN where a measure is not defined. */
export type SignalCurves = Readonly<Record<SignalMetric, Float64Array>> & {
  /** `embedding`, `layer 0` …, `final`. */
  readonly entries: readonly string[];
};

export interface SignalRequest {
  readonly position: number;
  readonly target: number;
  readonly needle?: Span;
  readonly candidates?: readonly number[];
  /** Makes it a tuned lens: one translator per block, and no entry `embedding`. */
  readonly translators?: readonly Translator[];
}

/**
 * The signal-to-noise measures of one prompt at one position, per entry of the lens: probability, log-odds and margin of
 * the target, SNR over the vocabulary and over the candidates, and attention SNR (layers only, and only with a needle).
 * @param residuals of one row @param blocks of all layers, in order
 * @throws InputError for a position, target or candidates that do not fit.
 */
export function signalAt(
  model: Model,
  residuals: Residuals,
  blocks: readonly BlockCache[],
  { position, target, needle, candidates, translators }: SignalRequest,
): SignalCurves {
  const { entries, statistics } = lensOf(model, residuals, {
    targets: [target],
    candidates: candidates && [candidates],
    positions: [position],
    translators,
  });
  const attention = new Float64Array(entries.length).fill(Number.NaN);
  if (needle)
    for (const block of blocks)
      attention[entries.indexOf(`layer ${block.index}`)] = attentionSnr(block, position, needle);
  return { ...statistics, entries, attention_snr: attention };
}
