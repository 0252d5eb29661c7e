'use client';
import { memo, useMemo } from 'react';
import type { Reading } from '@/lib/api/causal';
import type { Signal } from '@/lib/api/readings';
import { formatValue, type Maybe } from '@/lib/figures/numbers';
import { curveScale } from '@/lib/figures/scale';
import { METRIC_INFO, type Metric } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { AxisTicks } from '../ui/AxisParts';
import { CurveOverlay, Grid, LayerHit } from '../ui/CurveParts';
import { ModelLines } from '../ui/ModelLines';
import type { Norms, ResultOf } from './results';

const HEIGHT = 132;
const TOP = 24;
const BOTTOM = 6;

/** The page's metric as an intervention measures it. */
export const readingOf = (reading: Reading | null | undefined, metric: Metric): Maybe => {
  if (!reading) return undefined;
  if (metric === 'margin') return reading.margin_std;
  if (metric === 'target_log_odds') return reading.target_log_odds;
  if (metric === 'snr') return reading.snr_candidates ?? reading.snr_vocab;
  return reading.target_prob;
};

/** The changed run as the model is, or with frozen norms. */
const changedIn = (
  readings: Pick<ResultOf<'intervene'>, 'changed' | 'frozen_norms'> | undefined,
  norms: Norms,
): Reading | null | undefined => (norms === 'frozen' ? readings?.frozen_norms : readings?.changed);

/** What a layer of the changed model reads, in words. */
export const changedText = (
  found: ResultOf<'intervene'> | undefined,
  layer: number,
  metric: Metric,
  norms: Norms,
): string => {
  const readings = found?.layers.find((each) => each.layer === layer);
  return `${METRIC_INFO[metric].label} ${formatValue(readingOf(readings?.base, metric), METRIC_INFO[metric].signed)}, changed ${formatValue(readingOf(changedIn(readings, norms), metric), METRIC_INFO[metric].signed)}`;
};

/** One metric of the lens by layer: the unchanged model thin, the changed one thick. */
export const ChangeCurve = memo(function ChangeCurve(props: {
  view: View;
  axis: LayerAxis;
  found: readonly (ResultOf<'intervene'> | undefined)[];
  /** What the run says of the unchanged models, through the logit lens. */
  signals: readonly (Signal | undefined)[];
  metric: Metric;
  norms: Norms;
  log: boolean;
}) {
  const { view, axis, found, signals, metric, norms, log } = props;
  const lines = useMemo(() => {
    const base = view.models.map(({ slot }, k) => {
      const signal = signals[k];
      return { slot, values: signal ? metricOnAxis(signal, metric, axis.layers) : [], marked: [] };
    });
    const changed = view.models.map(({ slot }, k) => {
      const values: Maybe[] = new Array(axis.layers + 2).fill(undefined);
      for (const each of found[k]?.layers ?? []) values[each.layer + 1] = readingOf(changedIn(each, norms), metric);
      values[axis.layers + 1] = readingOf(changedIn(found[k], norms), metric);
      return { slot, values, marked: values };
    });
    return { base, changed };
  }, [view.models, found, signals, metric, norms, axis.layers]);
  const scale = useMemo(
    () =>
      curveScale(
        [...lines.base, ...lines.changed].flatMap(({ values }) => values),
        log,
        HEIGHT - BOTTOM,
        TOP,
      ),
    [lines, log],
  );
  const info = METRIC_INFO[metric];
  return (
    <div
      className="figure"
      role="img"
      aria-label={`${info.name} by layer, of the unchanged and of the changed models`}
      data-testid="change-curve"
      style={{ height: HEIGHT }}
    >
      <svg className="layer" width={axis.width} height={HEIGHT} aria-hidden="true">
        <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} />
        <Grid axis={axis} scale={scale} title={info.label} top={TOP} bottom={HEIGHT} />
        {(['base', 'changed'] as const).map((which) => (
          <ModelLines key={which} axis={axis} scale={scale} lines={lines[which]} radius={2.4} className={which} />
        ))}
      </svg>
      <CurveOverlay axis={axis} layer={view.layer} top={TOP - 4} height={HEIGHT} lines={[]} scale={scale} />
      <LayerHit axis={axis} height={HEIGHT} />
    </div>
  );
});
