import type { SnrResult } from '@/lib/api/analyses';
import type { Signal } from '@/lib/api/readings';
import type { LensKind } from '@/lib/api/schemas';
import { METRIC_INFO, METRICS } from '../charts/curve';
import { layerName } from '../charts/layerAxis';
import { type DataTable, tableOf } from '../charts/table';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { batchCurves } from './batchSeries';

/** All metrics of every model by layer, from the embedding to the output; of a batch, means with their intervals. */
export function signalTable(
  view: View,
  signals: readonly (Signal | undefined)[],
  result: SnrResult | null = null,
  lens: LensKind = 'logit',
): DataTable {
  const layers = Array.from({ length: view.layers + 2 }, (_, entry) => layerName(entry - 1, view.layers));
  // The needle against the context is computed where it is asked for.
  const known = METRICS.filter(
    (metric) => metric !== 'needle_against_context' || signals.some((signal) => signal?.needle_against_context),
  );
  const columns = known.flatMap((metric) =>
    view.models.map(({ slot }, k) => {
      const signal = signals[k];
      const { label, unit } = METRIC_INFO[metric];
      return {
        name: `${label}${unit ? `, ${unit}` : ''} ${slot}`,
        values: signal ? metricOnAxis(signal, metric, view.layers) : [],
      };
    }),
  );
  return tableOf(
    `Signal by layer at position ${view.position}, target ${view.target.trim()}`,
    [{ name: 'layer', values: layers }],
    [...columns, ...METRICS.flatMap((metric) => batchColumns(view, result, lens, metric))],
  );
}

function batchColumns(view: View, result: SnrResult | null, lens: LensKind, metric: (typeof METRICS)[number]) {
  const batch = batchCurves(result, view, metric, lens);
  if (!batch) return [];
  const { label } = METRIC_INFO[metric];
  const ends = ['mean', 'low', 'high'] as const;
  const means = batch.models.flatMap((estimates, k) =>
    ends.map((end) => ({
      name: `${label}, ${end} of ${batch.n} ${view.models[k].slot}`,
      values: (estimates ?? []).map((estimate) => estimate?.[end]),
    })),
  );
  const { difference } = batch;
  if (!difference) return means;
  const paired = [...ends, 'p' as const].map((end) => ({
    name: `${label}, B − A ${end} of ${batch.n}`,
    values: difference.map((estimate) => estimate?.[end]),
  }));
  return [...means, ...paired];
}
