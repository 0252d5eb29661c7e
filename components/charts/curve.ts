import type { Maybe } from '@/lib/figures/numbers';

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
      'The needle’s part of what this layer reads of the context, by norms of exact contributions; question and read-out token are no context. “emb” and “out” are no blocks and read nothing.',
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
