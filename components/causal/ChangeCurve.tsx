'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { Reading } from '@/lib/api/causal';
import { curveScale, METRIC_INFO, type Metric, segments } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import type { Maybe } from '../charts/numbers';
import type { View } from '../data/view';
import { AxisTicks } from '../signal/AxisParts';
import { CurveOverlay, Grid, LayerHit, Mark } from '../signal/CurveParts';
import type { ResultOf } from './results';

const HEIGHT = 132;
const TOP = 24;
const BOTTOM = 6;

/** The page's metric as an intervention measures it. */
export const readingOf = (reading: Reading | null | undefined, metric: Metric): Maybe => {
  if (!reading) return undefined;
  if (metric === 'log_odds') return reading.log_odds;
  if (metric === 'snr') return reading.snr_candidates ?? reading.snr_vocab;
  return reading.target_prob;
};

/** One metric of the lens by layer: the unchanged model thin, the changed one thick. */
export const ChangeCurve = memo(function ChangeCurve(props: {
  view: View;
  axis: LayerAxis;
  found: readonly (ResultOf<'intervene'> | undefined)[];
  metric: Metric;
  log: boolean;
}) {
  const { view, axis, found, metric, log } = props;
  const lines = useMemo(
    () =>
      view.models.flatMap(({ slot }, k) =>
        (['base', 'changed'] as const).map((which) => {
          const values: Maybe[] = new Array(axis.layers + 2).fill(undefined);
          for (const each of found[k]?.layers ?? []) values[each.layer + 1] = readingOf(each[which], metric);
          values[axis.layers + 1] = readingOf(found[k]?.[which], metric);
          return { slot, which, values };
        }),
      ),
    [view.models, found, metric, axis.layers],
  );
  const scale = useMemo(
    () =>
      curveScale(
        lines.flatMap(({ values }) => values),
        log,
        HEIGHT - BOTTOM,
        TOP,
      ),
    [lines, log],
  );
  const path = line<{ layer: number; value: number }>(
    (d) => axis.x(d.layer),
    (d) => scale.y(d.value),
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
        {lines.map(({ slot, which, values }) => (
          <path
            key={`${slot}${which}`}
            className={`curve ${slot}-line ${which}`}
            d={segments(values)
              .map((run) => path(run))
              .join('')}
          />
        ))}
        {lines
          .filter(({ which }) => which === 'changed')
          .flatMap(({ slot, values }) =>
            segments(values)
              .flat()
              .map(({ layer, value }) => (
                <Mark
                  key={`${slot}${layer}`}
                  slot={slot}
                  x={axis.x(layer)}
                  y={scale.y(value)}
                  r={2.4}
                  low={scale.below(value)}
                />
              )),
          )}
      </svg>
      <CurveOverlay axis={axis} layer={view.layer} top={TOP - 4} height={HEIGHT} lines={[]} scale={scale} />
      <LayerHit axis={axis} height={HEIGHT} />
    </div>
  );
});
