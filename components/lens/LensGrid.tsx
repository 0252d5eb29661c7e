'use client';
import { memo, useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { Lens } from '@/lib/api/bodies';
import type { LayerAxis } from '../charts/layerAxis';
import type { LensColour } from '../charts/lensCells';
import { cut, displayToken } from '../charts/tokens';
import { useTokenTexts } from '../data/queries';
import { lensRow } from '../data/series';
import { type ModelView, tokenOfA, type View } from '../data/view';
import { clearHover, type Hover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { HitArea } from '../ui/HitArea';
import { LensRowCanvas } from '../ui/LensRowCanvas';

export const ROW = 20;
export const TOP = 20;

/** Whether a token of model A is under the pointer: as a destination, in maps and the prompt as a source too. */
const isHovered = ({ origin, destination, source }: Hover, ofA: number | undefined): boolean =>
  ofA !== undefined && (ofA === destination || ((origin === 'map' || origin === 'chip') && ofA === source));

/** Columns and rows under the pointer, anywhere on the page. Only this is redrawn on hover. */
export function GridOverlay(props: {
  view: View;
  model: ModelView;
  axis: LayerAxis;
  rows: readonly number[];
  height: number;
}) {
  const { view, model, axis, rows, height } = props;
  const layer = useHover((s) => s.layer);
  const hovered = useHover(useShallow((s) => rows.filter((own) => isHovered(s, tokenOfA(model, own)))));
  const column = (l: number, className: string) => (
    <rect
      className={className}
      x={axis.x(l) - axis.pitch / 2 - 0.5}
      y={TOP - 0.75}
      width={axis.pitch + 1}
      height={rows.length * ROW + 0.5}
    />
  );
  return (
    <svg className="layer overlay" width={axis.width} height={height} aria-hidden="true">
      {column(view.layer, 'selected')}
      {layer !== undefined && layer !== view.layer && column(layer, 'hovered')}
      {hovered.map((own) => (
        <rect
          key={own}
          className="hovered"
          x={axis.gutter}
          y={TOP + rows.indexOf(own) * ROW - 0.5}
          width={axis.width - axis.gutter}
          height={ROW}
        />
      ))}
    </svg>
  );
}

/** Hover and click choose a cell of a grid, by a model's own positions. */
export function GridHit(props: {
  view: View;
  model: ModelView;
  axis: LayerAxis;
  rows: readonly number[];
  height: number;
}) {
  const { view, model, axis, rows, height } = props;
  const at = (x: number, y: number) => {
    const own = rows[Math.floor((y - TOP) / ROW)];
    return { layer: axis.at(x + axis.gutter), own, ofA: own === undefined ? undefined : tokenOfA(model, own) };
  };
  return (
    <HitArea
      style={{ left: axis.gutter, top: 0, width: axis.width - axis.gutter, height }}
      onPoint={(x, y) => {
        const { layer, ofA } = at(x, y);
        hover({ origin: 'lens', model: model.slot, layer, destination: ofA });
      }}
      onLeave={clearHover}
      onPick={(x, y) => {
        const { layer, ofA } = at(x, y);
        select({
          layer: Math.min(Math.max(0, layer), axis.layers - 1),
          ...(ofA !== undefined && { position: ofA === view.tokens.length - 1 ? -1 : ofA }),
        });
      }}
    />
  );
}

/** One model's lens: the shown positions over the layer axis. */
export const LensGrid = memo(function LensGrid(props: {
  view: View;
  model: ModelView;
  axis: LayerAxis;
  lens: Lens | undefined;
  colour: LensColour;
  vocabulary: number;
  rows: readonly number[];
}) {
  const { view, model, axis, lens, colour, vocabulary, rows } = props;
  const textOf = useTokenTexts(model);
  const height = TOP + rows.length * ROW;
  const cells = useMemo(
    () =>
      rows.map((own) =>
        lens ? lensRow(lens, own, axis.layers) : new Array<undefined>(axis.layers + 2).fill(undefined),
      ),
    [rows, lens, axis.layers],
  );
  const top = displayToken(
    lens ? textOf(lens.topIds[((lens.entries.length - 1) * lens.L + model.position) * lens.k]) : '',
  );
  return (
    <div
      className="figure"
      role="img"
      aria-label={`Lens of ${model.slot}: layers by positions ${rows[0]} to ${rows[rows.length - 1]}. ${lens ? `The output at position ${model.position} is ${top}.` : 'Not computed yet.'}`}
      data-testid={`lens-${model.slot}`}
      style={{ height }}
    >
      {rows.map((own, k) => (
        <LensRowCanvas
          key={own}
          axis={axis}
          cells={cells[k]}
          colour={colour}
          vocabulary={vocabulary}
          height={ROW - 1}
          textOf={textOf}
          top={TOP + k * ROW}
        />
      ))}
      <svg className="layer" width={axis.width} height={height} aria-hidden="true">
        <RowLabel y={14} slot={model.slot} text="token" narrow={axis.narrow} />
        <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} />
        {rows.map((own, k) => {
          const y = TOP + k * ROW;
          const strong = own === model.position;
          return (
            <g key={own}>
              {!axis.narrow && (
                <text className="axis token" x="0" y={y + 13.5} style={{ fontSize: 10 }}>
                  {own}
                </text>
              )}
              <text
                className={`token${strong ? ' strong' : ''}`}
                x={axis.gutter - 6}
                y={y + 13.5}
                textAnchor="end"
                style={{ fontSize: 10.5 }}
              >
                {cut(displayToken(model.tokens[own].text), axis.narrow ? 5 : own >= 100 ? 8 : 9)}
              </text>
              {strong && <path className="ink" d={`M${axis.gutter - 1},${y + ROW / 2 - 0.5}l-4,-3v6z`} />}
            </g>
          );
        })}
      </svg>
      <GridOverlay view={view} model={model} axis={axis} rows={rows} height={height} />
      <GridHit view={view} model={model} axis={axis} rows={rows} height={height} />
    </div>
  );
});
