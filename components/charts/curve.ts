import { scaleLinear, scaleLog } from 'd3';
import type { Maybe } from './numbers';
import { decadeLabel, formatTick } from './numbers';

/** The signal curve's vertical axis. Layers −1 … n on the shared layer axis. */
export type Metric = 'p' | 'margin' | 'snr' | 'needle_against_context' | 'target_log_odds';

export const METRICS: readonly Metric[] = ['p', 'margin', 'snr', 'needle_against_context', 'target_log_odds'];

export interface MetricInfo {
  readonly label: string;
  readonly name: string;
  readonly unit?: string;
  readonly signed: boolean;
  /** Whether a logarithmic axis makes sense, and whether it is the first choice. */
  readonly log: boolean;
  readonly definition: string;
}

export const METRIC_INFO: Record<Metric, MetricInfo> = {
  p: {
    label: 'p(target)',
    name: 'Needle probability',
    signed: false,
    log: true,
    definition: 'Probability of the target at the read-out position, through the lens of each layer, not rounded.',
  },
  margin: {
    label: 'margin',
    name: 'Margin',
    unit: 'standard deviations',
    signed: true,
    log: false,
    definition:
      '(Target logit − logit of the strongest wrong token) ÷ standard deviation of the wrong tokens’ logits: in logits the margins of two models would have no common unit.',
  },
  snr: {
    label: 'SNR',
    name: 'Signal to noise',
    unit: 'standard deviations',
    signed: true,
    log: false,
    definition: '(target logit − mean of the other candidates’ logits) ÷ their standard deviation.',
  },
  needle_against_context: {
    label: 'needle/context',
    name: 'Needle against context',
    unit: 'share',
    signed: false,
    log: false,
    definition:
      'The needle’s part of what this layer reads of the context, by norms of exact contributions; question and read-out token are no context.',
  },
  target_log_odds: {
    label: 'log-odds',
    name: 'Log-odds',
    unit: 'nats',
    signed: true,
    log: false,
    definition:
      'ln p/(1 − p), p the probability of the target at the read-out position: 0 is even, and it does not saturate.',
  },
};

/** The lowest value that a logarithmic axis reaches. */
export const LOG_LIMIT = 1e-12;

export interface CurveTick {
  readonly y: number;
  readonly text: string;
  readonly exponent?: string;
  readonly zero: boolean;
}

export interface CurveScale {
  /** Vertical position; values below the floor stand on the floor. */
  readonly y: (value: number) => number;
  readonly below: (value: number) => boolean;
  readonly ticks: readonly CurveTick[];
}

const finite = (values: readonly Maybe[]) =>
  values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));

/** Where an axis without data ends. */
const EMPTY_FLOOR = 1e-6;

/** Decades down to the data, at most to 1e−12; the top is 1. Range: [bottom, top] in pixels. */
function logScale(values: readonly number[], bottom: number, top: number): CurveScale {
  const positive = values.filter((v) => v > 0);
  const least = positive.length ? Math.min(...positive) : EMPTY_FLOOR;
  const floorExponent = Math.max(Math.log10(LOG_LIMIT), Math.min(-1, Math.floor(Math.log10(least))));
  const floor = 10 ** Math.round(floorExponent);
  const scale = scaleLog([floor, 1], [bottom, top]);
  const decades = Math.round(-floorExponent);
  const step = decades > 6 ? 2 : 1;
  const ticks: CurveTick[] = [];
  for (let e = 0; e >= -decades; e -= step) ticks.unshift({ y: scale(10 ** e), ...decadeLabel(e), zero: false });
  return { y: (v) => scale(Math.max(floor, v)), below: (v) => v < floor, ticks };
}

/** Starts at 0, or shows it, with a strong zero line. Range: [bottom, top] in pixels. */
function linearScale(values: readonly number[], bottom: number, top: number, count = 5): CurveScale {
  const high = Math.max(0, ...values);
  const low = Math.min(0, ...values);
  const scale = scaleLinear([low, high > low ? high : low + 1], [bottom, top]).nice(count);
  const ticks = scale.ticks(count).map((t) => ({ y: scale(t), text: formatTick(t), zero: t === 0 }));
  return { y: (v) => scale(v), below: () => false, ticks };
}

/** @param count about how many ticks a linear axis has */
export function curveScale(
  values: readonly Maybe[],
  log: boolean,
  bottom: number,
  top: number,
  count?: number,
): CurveScale {
  return log ? logScale(finite(values), bottom, top) : linearScale(finite(values), bottom, top, count);
}

/** Points of one line, by layer; runs of absent values break the line. */
export function segments(values: readonly Maybe[]): { layer: number; value: number }[][] {
  const out: { layer: number; value: number }[][] = [];
  let open = false;
  values.forEach((value, entry) => {
    if (typeof value === 'number' && Number.isFinite(value)) {
      if (!open) out.push([]);
      out[out.length - 1].push({ layer: entry - 1, value });
      open = true;
    } else open = false;
  });
  return out;
}

/** First block whose p(target) reaches 0.1, or undefined. `values` start at the embedding and end with the output. */
export function firstLayerAbove(values: readonly Maybe[], threshold = 0.1): number | undefined {
  for (let entry = 1; entry < values.length - 1; entry++) {
    const value = values[entry];
    if (typeof value === 'number' && value >= threshold) return entry - 1;
  }
  return undefined;
}
