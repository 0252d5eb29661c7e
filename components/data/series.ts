import type { SnrEstimate } from '@/lib/api/analyses';
import type { Lens } from '@/lib/api/bodies';
import type { Signal } from '@/lib/api/readings';
import type { Maybe } from '@/lib/figures/numbers';
import type { Metric } from '../charts/curve';
import { columnOf, onAxis } from '../charts/layerAxis';
import type { LensCell } from '../charts/lensCells';
import type { ModelSlot } from '../state/selection';

/** What a batch says of one model, or of B − A, by column of the layer axis: embedding, blocks, output. */
export type Estimates<T extends SnrEstimate = SnrEstimate> = readonly (T | undefined)[];

/** A model's curve. */
export interface Line {
  readonly slot: ModelSlot;
  readonly name: string;
  /** Batch mean, or this prompt where there is no batch. */
  readonly values: readonly Maybe[];
  readonly prompt: readonly Maybe[];
  readonly estimates?: Estimates;
}

const anyPresent = (values: readonly Maybe[]) => values.some((value) => value !== null && value !== undefined);

/** Which candidates SNR compares with: the answer set where the request brought one, else the whole vocabulary. */
export const snrCandidates = (signal: Signal): 'answers' | 'vocabulary' =>
  anyPresent(signal.snr_candidates) ? 'answers' : 'vocabulary';

/** One metric on an axis of `layers` blocks. */
export const metricOnAxis = (signal: Signal, metric: Metric, layers: number): Maybe[] =>
  onAxis(signal.entries, metricValues(signal, metric), layers);

function metricValues(signal: Signal, metric: Metric): readonly Maybe[] {
  switch (metric) {
    case 'p':
      return signal.target_prob;
    case 'margin':
      return signal.margin_std;
    case 'target_log_odds':
      return signal.target_log_odds;
    case 'snr':
      return snrCandidates(signal) === 'answers' ? signal.snr_candidates : signal.snr_vocab;
    case 'needle_against_context':
      return signal.needle_against_context ?? [];
  }
}

/** B − A of this prompt by column of the layer axis; absent where either model has no value. */
export function promptDifference(
  signals: readonly (Signal | undefined)[],
  metric: Metric,
  layers: number,
): (number | undefined)[] {
  const [a, b] = signals.map((signal) => (signal ? metricOnAxis(signal, metric, layers) : []));
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
    if (!signal?.entries.includes('final')) return undefined;
    const { target_prob: p, entries } = signal;
    const start = p.findLastIndex((value) => value === null || !(value >= CERTAIN)) + 1;
    if (start === p.length) return undefined;
    first = Math.max(first, start - (entries[0] === 'embedding' ? 1 : 0));
  }
  return 2 * first < layers ? first : undefined;
}

/** Less of p than this would not be seen on a linear axis. */
const SEEN = 0.01;

/** Whether a linear axis shows p(target) after every block: powers of ten would be spent on the embedding. */
export const isSeenLinearly = (signals: readonly (Signal | undefined)[]): boolean =>
  signals.every((signal) => {
    if (!signal?.entries.includes('final')) return false;
    const blocks = signal.target_prob.slice(signal.entries[0] === 'embedding' ? 1 : 0);
    return blocks.every((value) => value !== null && value >= SEEN);
  });

/** The lens cells of one position on an axis of `layers` blocks. */
export function lensRow(lens: Lens, position: number, layers: number): (LensCell | undefined)[] {
  const { L, k, statistics } = lens;
  if (position < 0 || position >= L) return new Array(layers + 2).fill(undefined);
  const cells = lens.entries.map((_, entry): LensCell | undefined => {
    const at = entry * L + position;
    // A position that was not asked for.
    if (Number.isNaN(lens.topProbs[at * k])) return undefined;
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
  return onAxis(lens.entries, cells, layers);
}

/** Index of a lens entry for a layer of the axis, or −1 where there is none. */
export function entryAt(lens: Lens, layer: number, layers: number): number {
  return lens.entries.findIndex((entry) => columnOf(entry, layers) === layer + 1);
}
