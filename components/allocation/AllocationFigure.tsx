'use client';
import { line } from 'd3';
import { memo, useMemo } from 'react';
import type { MeasuredValue } from '@/lib/api/allocation';
import { bandPath } from '@/lib/figures/band';
import { curveScale } from '@/lib/figures/scale';
import {
  barPlace,
  chanceOf,
  type Found,
  headline,
  MEASURE_INFO,
  type Measure,
  type Part,
  pieceAt,
  type Rectangle,
  rectangles,
  stackScale,
} from '../charts/allocation';
import { segments } from '../charts/curve';
import { placeLineLabels } from '../charts/labels';
import type { LayerAxis } from '../charts/layerAxis';
import type { View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { CurveOverlay, Grid, LayerHit, Mark, NarrowTitle, useTitleRoom } from '../ui/CurveParts';
import { HitArea } from '../ui/HitArea';
import { usePaper } from '../ui/measure';

const TOP = 24;
const BARS = 176;
const NAMES = 16;
const CURVE = 120;
const EDGE = 8;
/** Below a printed curve, for the layers that stand above the bars on the page. */
const LABELS = 18;
const NAME_WIDTH = 8;

interface Shown {
  readonly view: View;
  readonly found: readonly Found[];
  readonly part: Part;
  readonly axis: LayerAxis;
}

/** What is under the pointer: a layer's lines, and a frame around the pieces of a class. Only this is redrawn on hover. */
function StackOverlay(props: {
  axis: LayerAxis;
  top: number;
  layer: number;
  pieces: readonly Rectangle[];
  view: View;
}) {
  const { axis, top, layer, pieces, view } = props;
  const hovered = useHover((s) => s.layer);
  const tokenClass = useHover(
    (s) => s.tokenClass ?? (s.source === undefined ? undefined : view.models[0].classes[s.source]),
  );
  const height = TOP + BARS + NAMES;
  return (
    <svg
      className="layer overlay"
      style={{ top }}
      width={axis.width}
      height={height}
      aria-hidden="true"
      data-hover-class={tokenClass ?? ''}
    >
      <path className="hovered" d={`M${Math.round(axis.x(layer)) + 0.5},${TOP - 6}v5`} />
      {hovered !== undefined && hovered !== layer && (
        <path className="hovered" d={`M${Math.round(axis.x(hovered)) + 0.5},${TOP - 6}v5`} strokeDasharray="2 2" />
      )}
      {pieces.map((piece) =>
        piece.tokenClass === tokenClass ? (
          <rect
            key={`${piece.slot}${piece.layer}`}
            className="selected"
            x={piece.x - 0.5}
            y={piece.y - 0.5}
            width={piece.width + 1}
            height={Math.max(1, piece.height) + 1}
          />
        ) : null,
      )}
    </svg>
  );
}

/** What every layer reads, by class: the models' bars side by side. */
export const AllocationStacks = memo(function AllocationStacks(props: Shown & { measure: Measure }) {
  const { view, found, measure, part, axis } = props;
  const scale = useMemo(() => stackScale(found, measure, part, [TOP + BARS, TOP]), [found, measure, part]);
  const pieces = useMemo(() => rectangles(found, measure, part, axis, scale), [found, measure, part, axis, scale]);
  const height = TOP + BARS + NAMES;
  const [, width] = barPlace(axis, 0, 0, found.length);
  const head = useTitleRoom(axis);
  const { title } = MEASURE_INFO[measure];
  return (
    <div
      className="figure"
      role="img"
      aria-label={`What each layer reads by class of token, ${title}, ${found.map(({ slot }) => slot).join(' beside ')}`}
      data-testid="allocation-stacks"
      style={{ height: height + head }}
    >
      <svg className="layer" width={axis.width} height={height + head} aria-hidden="true">
        <NarrowTitle axis={axis} title={title} />
        <g transform={`translate(0,${head})`}>
          <RowLabel y={14} text="layer" narrow={axis.narrow} />
          <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} ends={false} />
          <Grid axis={axis} scale={scale} title={title} top={TOP} bottom={TOP + BARS} />
          {pieces.map(({ slot, layer, tokenClass, ...box }) => (
            <rect key={`${slot}${layer}${tokenClass}`} className={`piece class-${tokenClass}`} {...box} />
          ))}
          {width >= 7 &&
            found.flatMap(({ slot, layers = [] }, k) =>
              layers.map(({ layer }) => {
                const [x, own] = barPlace(axis, layer, k, found.length);
                return (
                  <text
                    key={`${slot}${layer}`}
                    className="axis small"
                    x={x + own / 2}
                    y={height - 3}
                    textAnchor="middle"
                  >
                    {slot}
                  </text>
                );
              }),
            )}
        </g>
      </svg>
      <StackOverlay axis={axis} top={head} layer={view.layer} pieces={pieces} view={view} />
      <HitArea
        testId="allocation-hit"
        style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height }}
        onPoint={(x, y) => {
          const layer = axis.at(x + axis.gutter);
          const piece = pieceAt(pieces, x + axis.gutter, y);
          hover({ origin: 'allocation', layer, tokenClass: piece?.tokenClass, model: piece?.slot });
        }}
        onLeave={clearHover}
        onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), axis.layers - 1) })}
      />
    </div>
  );
});

const NEEDLE = 'needle / context';

const means = (values: readonly (MeasuredValue | undefined)[]) => values.map((value) => value?.mean);

/** The needle's part of what is read of the story, by layer, with what reading every token alike would give. */
export const AllocationCurve = memo(function AllocationCurve(props: Shown) {
  const { view, found, part, axis } = props;
  const curves = useMemo(
    () =>
      found.map(({ slot, layers }) => ({
        slot,
        values: headline(layers, part, axis.layers),
        chance: chanceOf(layers),
      })),
    [found, part, axis],
  );
  const printed = usePaper(({ width }) => width !== null);
  const height = CURVE + EDGE + (printed ? LABELS : 0);
  const head = useTitleRoom(axis);
  const scale = useMemo(() => curveScale([0, 1], false, CURVE, EDGE, 3), []);
  const names = useMemo(
    () =>
      placeLineLabels(
        curves.map(({ values }) =>
          segments(means(values))
            .flat()
            .map(({ layer, value }) => ({ x: axis.x(layer), y: scale.y(value) })),
        ),
        curves.map(() => NAME_WIDTH),
        { left: axis.gutter + 4, right: axis.width - 4, top: 0, bottom: CURVE },
      ),
    [curves, axis, scale],
  );
  const path = line<{ layer: number; value: number }>(
    (point) => axis.x(point.layer),
    (point) => scale.y(point.value),
  );
  return (
    <div
      className="figure"
      role="img"
      aria-label={`Needle against context by layer of ${found.map(({ slot }) => slot).join(' and ')}`}
      data-testid="allocation-curve"
      style={{ height: height + head }}
    >
      <svg className="layer" width={axis.width} height={height + head} aria-hidden="true">
        <NarrowTitle axis={axis} title={NEEDLE} />
        <g transform={`translate(0,${head})`}>
          <Grid axis={axis} scale={scale} title={NEEDLE} top={EDGE} bottom={CURVE} />
          {curves.map(({ slot, chance }) =>
            chance === undefined ? null : (
              <path
                key={slot}
                className={`chance ${slot}-line`}
                d={`M${axis.gutter},${scale.y(chance)}H${axis.width}`}
                data-testid={`chance-${slot}`}
              />
            ),
          )}
          {curves.map(({ slot, values }) => (
            <path
              key={slot}
              className={`${slot}-fill`}
              opacity=".16"
              d={bandPath(
                values.map((value) => value ?? undefined).map((value) => value && { low: value.low, high: value.high }),
                (column) => axis.x(column - 1),
                scale.y,
              )}
            />
          ))}
          {curves.map(({ slot, values }) => {
            const runs = segments(means(values));
            return (
              <g key={slot}>
                <path
                  className={`curve ${slot}-line`}
                  d={runs.map((run) => path(run)).join('')}
                  data-testid={`headline-${slot}`}
                />
                {runs.flat().map((point) => (
                  <Mark
                    key={point.layer}
                    slot={slot}
                    x={axis.x(point.layer)}
                    y={scale.y(point.value)}
                    r={2.6}
                    low={false}
                  />
                ))}
              </g>
            );
          })}
          {curves.map(
            ({ slot }, k) =>
              names[k] && (
                <text key={slot} className={`line-name ${slot}-fill`} x={names[k].x} y={names[k].y}>
                  {slot}
                </text>
              ),
          )}
          {printed && (
            <>
              <text className="axis" x="0" y={height - 5}>
                layer
              </text>
              <AxisTicks axis={axis} layer={view.layer} y={height - 5} pill={false} ends={false} />
            </>
          )}
        </g>
      </svg>
      <CurveOverlay
        axis={axis}
        layer={view.layer}
        height={height}
        lines={curves.map(({ slot, values }) => ({ key: slot, className: `${slot}-fill`, values: means(values) }))}
        scale={scale}
      />
      <LayerHit axis={axis} height={height} />
    </div>
  );
});
