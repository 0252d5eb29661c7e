'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { Reading } from '@/lib/api/causal';
import { curveScale, METRIC_INFO, type Metric, segments } from '../charts/curve';
import type { LayerAxis } from '../charts/layerAxis';
import type { Maybe } from '../charts/numbers';
import type { View } from '../data/view';
import { AxisTicks, TickNumber } from '../signal/AxisParts';
import { clearHover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { HitArea } from '../ui/HitArea';
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

function Overlay({ axis, layer }: { axis: LayerAxis; layer: number }) {
  const hovered = useHover((s) => s.layer);
  const at = (l: number) => Math.round(axis.x(l)) + 0.5;
  return (
    <svg
      className="layer overlay"
      width={axis.width}
      height={HEIGHT}
      aria-hidden="true"
      data-hover-layer={hovered ?? ''}
    >
      <line className="hovered" x1={at(layer)} x2={at(layer)} y1={TOP - 4} y2={HEIGHT} strokeOpacity=".9" />
      {hovered !== undefined && hovered !== layer && (
        <line className="hovered" x1={at(hovered)} x2={at(hovered)} y1={TOP - 4} y2={HEIGHT} strokeDasharray="2 2" />
      )}
    </svg>
  );
}

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
        {scale.ticks.map(({ y, text, exponent, zero }) => (
          <g key={`${text}${exponent ?? ''}`}>
            <line className={zero ? 'rule' : 'grid'} x1={axis.gutter} x2={axis.width} y1={y} y2={y} />
            <TickNumber x={axis.gutter - 8} y={y + 3.5} text={text} exponent={exponent} />
          </g>
        ))}
        {!axis.narrow && (
          <text className="title" transform={`translate(12,${(TOP + HEIGHT) / 2}) rotate(-90)`} textAnchor="middle">
            {info.label}
          </text>
        )}
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
              .map(({ layer, value }) =>
                slot === 'A' ? (
                  <circle key={`A${layer}`} className="mark A-line" cx={axis.x(layer)} cy={scale.y(value)} r="2.4" />
                ) : (
                  <rect
                    key={`B${layer}`}
                    className="mark B-line"
                    x={axis.x(layer) - 2.4}
                    y={scale.y(value) - 2.4}
                    width="4.8"
                    height="4.8"
                  />
                ),
              ),
          )}
      </svg>
      <Overlay axis={axis} layer={view.layer} />
      <HitArea
        style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height: HEIGHT }}
        onPoint={(x) => hover({ origin: 'curve', layer: axis.at(x + axis.gutter) })}
        onLeave={clearHover}
        onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), axis.layers - 1) })}
      />
    </div>
  );
});
