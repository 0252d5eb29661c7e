import type { SnrDifference, SnrEstimate, SnrResult } from '@/lib/api/analyses';
import type { Metric } from '../charts/curve';
import { columnOf } from '../charts/layerAxis';
import type { Estimates } from '../data/series';
import type { View } from '../data/view';

export interface BatchCurves {
  /** Examples. */
  readonly n: number;
  /** One entry per model of the view; undefined while it is not finished. */
  readonly models: readonly (Estimates | undefined)[];
  readonly difference?: Estimates<SnrDifference>;
  /** Which measure stands behind the metric `snr`. */
  readonly candidates: 'answers' | 'vocabulary';
}

const METRICS = {
  p: 'target_prob',
  margin: 'margin_std',
  target_log_odds: 'target_log_odds',
  needle_against_context: 'needle_against_context',
} as const;

function estimatesOnAxis<T extends SnrEstimate>(rows: readonly T[], metric: string, layers: number): Estimates<T> {
  const out: (T | undefined)[] = new Array(layers + 2).fill(undefined);
  for (const row of rows) if (row.metric === metric && row.n > 0) out[columnOf(row.entry, layers)] = row;
  return out;
}

const turned = (value: number | null) => (value === null ? null : -value);

/** First minus second in place of second minus first. */
const reversed = (row: SnrDifference): SnrDifference => ({
  ...row,
  mean: turned(row.mean),
  low: turned(row.high),
  high: turned(row.low),
});

/** The batch on the page's axis. Undefined when it is not of these models and this lens, or is not there yet. */
export function batchCurves(
  result: SnrResult | null,
  { models, layers }: Pick<View, 'layers'> & { readonly models: readonly { readonly name: string }[] },
  metric: Metric,
  lens: SnrResult['lens'],
): BatchCurves | undefined {
  if (!result || result.lens !== lens) return undefined;
  const names = result.models.map(({ model }) => model);
  const places = models.map(({ name }, k) => (names[k] === name ? k : names.indexOf(name)));
  if (places.every((place) => place < 0)) return undefined;
  const answers = result.models[0].rows.some((row) => row.metric === 'snr_candidates' && row.n > 0);
  const measure = metric === 'snr' ? (answers ? 'snr_candidates' : 'snr_vocab') : METRICS[metric];
  const paired = result.difference && models.length === 2 && places.every((place) => place >= 0);
  const swapped = places[0] > places[1];
  return {
    n: result.examples,
    models: places.map((place) =>
      place < 0 ? undefined : estimatesOnAxis(result.models[place].rows, measure, layers),
    ),
    difference: paired
      ? estimatesOnAxis(swapped ? (result.difference ?? []).map(reversed) : (result.difference ?? []), measure, layers)
      : undefined,
    candidates: answers ? 'answers' : 'vocabulary',
  };
}
