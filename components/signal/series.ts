import type { Lens, Signal } from '@/lib/api/readings';
import type { Metric } from '../charts/curve';
import type { LensCell } from '../charts/lensCells';
import type { Maybe } from '../charts/numbers';
import type { ModelSlot } from '../state/selection';
import type { Estimates } from './batchSeries';

/** A model's curve. */
export interface Line {
  readonly slot: ModelSlot;
  readonly name: string;
  /** Batch mean, or this prompt where there is no batch. */
  readonly values: readonly Maybe[];
  readonly prompt: readonly Maybe[];
  readonly estimates?: Estimates;
}

/**
 * Values per lens entry (embedding, blocks, output) on an axis of `layers` blocks: the output always stands last,
 * missing blocks of a shallower model are absent.
 */
export function onAxis<T>(values: readonly T[], layers: number): (T | undefined)[] {
  const out: (T | undefined)[] = new Array(layers + 2).fill(undefined);
  values.forEach((value, entry) => {
    out[entry === values.length - 1 ? layers + 1 : entry] = value;
  });
  return out;
}

const anyPresent = (values: readonly Maybe[]) => values.some((value) => value !== null && value !== undefined);

/** Which candidates SNR compares with: the answer set where the request brought one, else the whole vocabulary. */
export const snrCandidates = (signal: Signal): 'answers' | 'vocabulary' =>
  anyPresent(signal.snr_candidates) ? 'answers' : 'vocabulary';

/** One metric from the embedding to the output; a tuned lens says nothing of the embedding. */
export function metricValues(signal: Signal, metric: Metric): readonly Maybe[] {
  const values = ownValues(signal, metric);
  return signal.entries[0] === 'embedding' ? values : [undefined, ...values];
}

function ownValues(signal: Signal, metric: Metric): readonly Maybe[] {
  switch (metric) {
    case 'p':
      return signal.target_prob;
    case 'log_odds':
      return signal.log_odds;
    case 'snr':
      return snrCandidates(signal) === 'answers' ? signal.snr_candidates : signal.snr_vocab;
    case 'attention_snr':
      return signal.attention_snr;
  }
}

/** B − A of this prompt by column of the layer axis; absent where either model has no value. */
export function promptDifference(
  signals: readonly (Signal | undefined)[],
  metric: Metric,
  layers: number,
): (number | undefined)[] {
  const [a, b] = signals.map((signal) => (signal ? onAxis(metricValues(signal, metric), layers) : []));
  return Array.from({ length: layers + 2 }, (_, column) => {
    const [first, second] = [a?.[column], b?.[column]];
    return typeof first === 'number' && typeof second === 'number' ? second - first : undefined;
  });
}

/** A target is as good as certain from here on: the rest of the curve is one line. */
const CERTAIN = 0.99;

/**
 * The block from whose output on every model gives the target at least 0.99 up to its own output, where that leaves most of the
 * probability's curve without anything to see; else undefined.
 */
export function certainFrom(signals: readonly (Signal | undefined)[], layers: number): number | undefined {
  let first = 0;
  for (const signal of signals) {
    if (!signal) return undefined;
    const { target_prob: p, entries } = signal;
    const start = p.findLastIndex((value) => value === null || !(value >= CERTAIN)) + 1;
    if (start === p.length) return undefined;
    first = Math.max(first, start - (entries[0] === 'embedding' ? 1 : 0));
  }
  return 2 * first < layers ? first : undefined;
}

/** The lens cells of one position on an axis of `layers` blocks. */
export function lensRow(lens: Lens, position: number, layers: number): (LensCell | undefined)[] {
  const { L, k, statistics } = lens;
  if (position < 0 || position >= L) return new Array(layers + 2).fill(undefined);
  const cells = lens.entries.map((_, entry): LensCell => {
    const at = entry * L + position;
    return {
      topId: lens.topIds[at * k],
      topProb: lens.topProbs[at * k],
      targetProb: statistics.target_prob?.[at] ?? Number.NaN,
      // The API counts the tokens above the target; the page says 1 for the top.
      targetRank: (statistics.target_rank?.[at] ?? Number.NaN) + 1,
      entropy: statistics.entropy?.[at] ?? Number.NaN,
      kl: statistics.kl_final_lens?.[at] ?? Number.NaN,
    };
  });
  return onAxis(lens.entries[0] === 'embedding' ? cells : [undefined, ...cells], layers);
}

/** Index of a lens entry for a layer of the axis, or −1 where this model has none. */
export function entryAt(lens: Lens, layer: number, layers: number): number {
  if (layer >= layers) return lens.entries.length - 1;
  return lens.entries.indexOf(layer < 0 ? 'embedding' : `layer ${layer}`);
}
