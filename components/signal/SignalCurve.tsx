'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { Signal } from '@/lib/api/schemas';
import { type CurveScale, curveScale, METRIC_INFO, type Metric, segments } from '../charts/curve';
import { placeLineLabels } from '../charts/labels';
import type { LayerAxis } from '../charts/layerAxis';
import { formatValue } from '../charts/numbers';
import type { View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { type ModelSlot, select } from '../state/selection';
import { HitArea } from '../ui/HitArea';
import { metricValues, onAxis } from './series';

const TOP = 10;
const BOTTOM = 8;
const NAME_WIDTH = 7.2;

interface Line {
  readonly slot: ModelSlot;
  readonly name: string;
  readonly values: readonly (number | null | undefined)[];
}

/** Circle for A, square for B, triangle for a value that stands on the floor. */
function Mark({ slot, x, y, r, low }: { slot: ModelSlot; x: number; y: number; r: number; low: boolean }) {
  const className = `mark ${slot}-line`;
  if (low) return <path className={className} d={`M${x},${y + r + 1}l${-r - 1},${-2 * r}h${2 * r + 2}z`} />;
  return slot === 'A' ? (
    <circle className={className} cx={x} cy={y} r={r} />
  ) : (
    <rect className={className} x={x - r} y={y - r} width={2 * r} height={2 * r} />
  );
}

/** Lines at the selected and hovered layers, with the values there as dots. Only this is redrawn on hover. */
function CurveOverlay(props: {
  axis: LayerAxis;
  layer: number;
  height: number;
  lines: readonly Line[];
  scale: CurveScale;
}) {
  const { axis, layer, height, lines, scale } = props;
  const hovered = useHover((s) => s.layer);
  const shown = hovered ?? layer;
  const at = (l: number) => Math.round(axis.x(l)) + 0.5;
  return (
    <svg
      className="layer overlay"
      width={axis.width}
      height={height}
      aria-hidden="true"
      data-hover-layer={hovered ?? ''}
    >
      <line className="hovered" x1={at(layer)} x2={at(layer)} y1="0" y2={height} strokeOpacity=".9" />
      {hovered !== undefined && hovered !== layer && (
        <line
          className="hovered"
          x1={at(hovered)}
          x2={at(hovered)}
          y1="0"
          y2={height}
          strokeDasharray="2 2"
          strokeOpacity=".6"
        />
      )}
      {lines.map(({ slot, values }) => {
        const value = values[shown + 1];
        return typeof value === 'number' && Number.isFinite(value) ? (
          <circle
            key={slot}
            className={`${slot}-fill`}
            cx={axis.x(shown)}
            cy={scale.y(value)}
            r="4"
            stroke="var(--bg)"
            strokeWidth="1.5"
          />
        ) : null;
      })}
    </svg>
  );
}

function Grid({
  axis,
  scale,
  title,
  unit,
  height,
}: {
  axis: LayerAxis;
  scale: CurveScale;
  title: string;
  unit?: string;
  height: number;
}) {
  return (
    <g>
      {scale.ticks.map(({ y, text, exponent, zero }) => (
        <g key={`${text}${exponent ?? ''}`}>
          <line
            className={zero ? 'rule' : 'grid'}
            x1={axis.gutter}
            x2={axis.width}
            y1={Math.round(y) + 0.5}
            y2={Math.round(y) + 0.5}
          />
          <text className="axis" x={axis.gutter - 8} y={y + 3.5} textAnchor="end">
            {text}
            {exponent && (
              <tspan dy="-4" fontSize="8">
                {exponent}
              </tspan>
            )}
          </text>
        </g>
      ))}
      {!axis.narrow && (
        <text className="title" transform={`translate(12,${height / 2}) rotate(-90)`} textAnchor="middle">
          {title}
          {unit && <tspan className="unit">, {unit}</tspan>}
        </text>
      )}
    </g>
  );
}

/** One metric of both models over the layer axis: this prompt, no interval. */
export const SignalCurve = memo(function SignalCurve(props: {
  view: View;
  axis: LayerAxis;
  signals: readonly (Signal | undefined)[];
  metric: Metric;
  log: boolean;
}) {
  const { view, axis, signals, metric, log } = props;
  const height = axis.narrow ? 180 : 196;
  const lines = useMemo(
    () =>
      view.models.map(({ slot, name }, k): Line => {
        const signal = signals[k];
        return { slot, name, values: signal ? onAxis(metricValues(signal, metric), axis.layers) : [] };
      }),
    [view.models, signals, metric, axis.layers],
  );
  const scale = useMemo(
    () =>
      curveScale(
        lines.flatMap(({ values }) => values),
        log,
        height - BOTTOM,
        TOP,
      ),
    [lines, log, height],
  );
  const drawn = useMemo(() => {
    const path = line<{ layer: number; value: number }>(
      (d) => axis.x(d.layer),
      (d) => scale.y(d.value),
    );
    return lines.map(({ slot, values }) => ({
      slot,
      runs: segments(values),
      path: segments(values)
        .map((run) => path(run))
        .join(''),
    }));
  }, [lines, axis, scale]);
  const names = useMemo(() => {
    const texts = lines.map(({ slot, name }) => (axis.narrow ? slot : `${slot}  ${name}`));
    const places = placeLineLabels(
      drawn.map(({ runs }) => runs.flat().map(({ layer, value }) => ({ x: axis.x(layer), y: scale.y(value) }))),
      texts.map((text) => text.length * NAME_WIDTH),
      { left: axis.gutter + 4, right: axis.width - 4, top: 0, bottom: height },
    );
    return places.map((place, k) => ({ place, text: texts[k], slot: lines[k].slot }));
  }, [lines, drawn, axis, scale, height]);
  const info = METRIC_INFO[metric];
  const summary = lines
    .map(({ slot, values }) => `${slot} ${formatValue(values[view.layer + 1], info.signed)}`)
    .join(', ');
  const radius = axis.narrow ? 1.8 : 2.4;
  return (
    <div
      className="figure"
      role="img"
      aria-label={`${info.name} by layer. Layer ${view.layer}: ${summary}.`}
      style={{ height }}
    >
      <svg className="layer" width={axis.width} height={height} aria-hidden="true">
        <Grid axis={axis} scale={scale} title={info.name} unit={info.unit} height={height} />
        {drawn.map(({ slot, path, runs }) => (
          <g key={slot}>
            <path className={`curve ${slot}-line`} d={path} />
            {runs.flat().map(({ layer, value }) => (
              <Mark key={layer} slot={slot} x={axis.x(layer)} y={scale.y(value)} r={radius} low={scale.below(value)} />
            ))}
          </g>
        ))}
        {names.map(
          ({ place, text, slot }) =>
            place && (
              <text key={slot} className={`line-name ${slot}-fill`} x={place.x} y={place.y} xmlSpace="preserve">
                {text}
              </text>
            ),
        )}
      </svg>
      <CurveOverlay axis={axis} layer={view.layer} height={height} lines={lines} scale={scale} />
      <HitArea
        style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height }}
        onPoint={(x) => hover({ origin: 'curve', layer: axis.at(x + axis.gutter) })}
        onLeave={clearHover}
        onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), axis.layers - 1) })}
      />
    </div>
  );
});
