import type { Signal } from '@/lib/api/schemas';
import { METRIC_INFO, METRICS } from '../charts/curve';
import { layerName } from '../charts/layerAxis';
import { type DataTable, tableOf } from '../charts/table';
import type { View } from '../data/view';
import { metricValues, onAxis } from './series';

/** All four metrics of every model by layer, from the embedding to the output. */
export function signalTable(view: View, signals: readonly (Signal | undefined)[]): DataTable {
  const layers = Array.from({ length: view.layers + 2 }, (_, entry) => layerName(entry - 1, view.layers));
  const columns = METRICS.flatMap((metric) =>
    view.models.map(({ slot }, k) => {
      const signal = signals[k];
      const { label, unit } = METRIC_INFO[metric];
      return {
        name: `${label}${unit ? `, ${unit}` : ''} ${slot}`,
        values: signal ? onAxis(metricValues(signal, metric), view.layers) : [],
      };
    }),
  );
  return tableOf(
    `Signal by layer at position ${view.position}, target ${view.target.trim()}`,
    [{ name: 'layer', values: layers }],
    columns,
  );
}
