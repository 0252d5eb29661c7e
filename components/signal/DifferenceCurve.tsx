'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { Signal } from '@/lib/api/readings';
import { bandPath } from '@/lib/figures/band';
import { formatSigned, type Maybe } from '@/lib/figures/numbers';
import { curveScale } from '@/lib/figures/scale';
import { METRIC_INFO, type Metric, segments } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import { promptDifference } from '../data/series';
import type { View } from '../data/view';
import { CurveOverlay, Grid, LayerHit } from '../ui/CurveParts';
import type { BatchCurves } from './batchSeries';
import { paperColumns } from './PaperBars';

const HEIGHT = 104;
const TOP = 10;
const BOTTOM = 8;

/** B − A by layer: of a batch, paired example by example, with its interval; and of this prompt. */
export const DifferenceCurve = memo(function DifferenceCurve(props: {
  view: View;
  axis: LayerAxis;
  signals: readonly (Signal | undefined)[];
  batch: BatchCurves | undefined;
  metric: Metric;
  paper: boolean;
}) {
  const { view, axis, signals, batch, metric, paper } = props;
  const { prompt, estimates } = useMemo(() => {
    const shown = <T,>(values: readonly T[]) => (paper ? paperColumns(values) : values);
    return {
      prompt: shown<Maybe>(promptDifference(signals, metric, view.layers)),
      estimates: shown(batch?.difference ?? []),
    };
  }, [signals, metric, view.layers, batch, paper]);
  const values: readonly Maybe[] = estimates.length > 0 ? estimates.map((estimate) => estimate?.mean) : prompt;
  const scale = useMemo(() => {
    const ends = estimates.flatMap((estimate) => [estimate?.low, estimate?.high]);
    return curveScale([...prompt, ...ends], false, HEIGHT - BOTTOM, TOP, 3);
  }, [prompt, estimates]);
  const path = useMemo(() => {
    const curve = line<{ layer: number; value: number }>(
      (d) => axis.x(d.layer),
      (d) => scale.y(d.value),
    );
    return segments(values)
      .map((run) => curve(run))
      .join('');
  }, [values, axis, scale]);
  const info = METRIC_INFO[metric];
  const r = axis.narrow ? 2.2 : 2.8;
  return (
    <div
      className="figure difference"
      role="img"
      aria-label={`${info.name}, B − A by layer${batch?.difference ? `, paired over ${batch.n} prompts` : ''}. Layer ${view.layer}: ${formatSigned(values[view.layer + 1])}.`}
      data-testid="signal-difference"
      style={{ height: HEIGHT }}
    >
      <svg className="layer" width={axis.width} height={HEIGHT} aria-hidden="true">
        <Grid axis={axis} scale={scale} title="B − A" bottom={HEIGHT} />
        <path className="band ink" d={bandPath(estimates, (column) => axis.x(column - 1), scale.y)} />
        <path className="curve" stroke="var(--ink)" d={path} />
        {segments(prompt)
          .flat()
          .map(({ layer, value }) => (
            <path
              key={layer}
              className="mark"
              stroke="var(--ink)"
              d={`M${axis.x(layer)},${scale.y(value) - r - 0.6}l${r + 0.6},${r + 0.6}l${-r - 0.6},${r + 0.6}l${-r - 0.6},${-r - 0.6}z`}
            />
          ))}
      </svg>
      <CurveOverlay
        axis={axis}
        layer={view.layer}
        height={HEIGHT}
        lines={[{ key: 'difference', className: 'ink', values }]}
        scale={scale}
      />
      <LayerHit axis={axis} height={HEIGHT} />
    </div>
  );
});
