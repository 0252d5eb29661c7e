'use client';
import { line } from 'd3';
import { memo } from 'react';
import { bandPath } from '../charts/band';
import { curveScale, segments } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import type { ModelView } from '../data/view';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { Grid } from '../ui/CurveParts';
import { BARS_HEIGHT, TICKS } from './ShareBars';
import { type Batch, BRANCHES, curveOf, type Form } from './shares';

const TOP = 24;
const BOTTOM = 18;

/** The needle's share by layer over a batch: one line a branch, its mean with the bootstrap interval. */
export const ShareCurves = memo(function ShareCurves(props: {
  model: ModelView;
  batch: Batch;
  form: Form;
  axis: LayerAxis;
  layer: number;
}) {
  const { model, batch, form, axis, layer } = props;
  const curves = BRANCHES.map(({ value, label }) => {
    const estimates = curveOf(batch, form, value, axis.layers);
    return { value, label, estimates };
  });
  const all = curves.flatMap(({ estimates }) => estimates.flatMap((e) => (e ? [e.low, e.high, e.mean] : [])));
  const scale = curveScale(all, false, BARS_HEIGHT - BOTTOM, TOP, TICKS);
  const path = line<{ layer: number; value: number }>(
    (d) => axis.x(d.layer),
    (d) => scale.y(d.value),
  );
  return (
    <svg className="layer" width={axis.width} height={BARS_HEIGHT} aria-hidden="true">
      <RowLabel y={14} slot={model.slot} text="needle" narrow={axis.narrow} />
      <AxisTicks axis={axis} layer={layer} y={14} pill={false} />
      <Grid axis={axis} scale={scale} title="share" top={TOP} bottom={BARS_HEIGHT - BOTTOM} />
      {curves.map(({ value, estimates }) => (
        <path
          key={value}
          className={`${model.slot}-fill`}
          opacity=".14"
          d={bandPath(estimates, (column) => axis.x(column - 1), scale.y)}
        />
      ))}
      {curves.map(({ value, estimates }) => {
        const runs = segments(estimates.map((each) => each?.mean));
        return (
          <g key={value}>
            <path
              className={`curve ${model.slot}-line ${value}`}
              d={runs.map((run) => path(run)).join('')}
              data-testid={`share-${model.slot}-${value}`}
            />
            {runs.flat().map((point) => (
              <circle
                key={point.layer}
                className={`mark ${model.slot}-line`}
                cx={axis.x(point.layer)}
                cy={scale.y(point.value)}
                r="2.4"
              />
            ))}
          </g>
        );
      })}
    </svg>
  );
});
