'use client';
import { memo } from 'react';
import type { MapLayout } from '../charts/mapLayout';
import { formatPlain } from '../charts/numbers';
import { profilePath, rowPeak } from '../charts/pair';
import { displayToken } from '../charts/tokens';
import { type ModelView, ownToken } from '../data/view';
import { useHover } from '../state/hover';
import { useSelection } from '../state/selection';
import type { DrawnMap } from './drawnMaps';

/** The row under the pointer, else the locked one, else the read-out, in a model's own tokens. */
export function shownRow(model: ModelView, hovered: number | undefined, locked: number | undefined): number {
  return ownToken(model, hovered) ?? ownToken(model, locked) ?? model.position;
}

/** A token written in full beside its row or under its column. */
function Flag({
  model,
  token,
  at,
  size,
  side,
}: {
  model: ModelView;
  token: number;
  at: number;
  size: number;
  side: 'row' | 'column';
}) {
  const text = `${token} ${displayToken(model.tokens[token].text)}`;
  const width = [...text].length * 6.4 + 8;
  const x = side === 'row' ? -8 - width : Math.min(Math.max(0, at - width / 2), size - width);
  const y = side === 'row' ? at - 8 : size + 8;
  return (
    <g transform={`translate(${x},${y})`}>
      <rect className="ink" width={width} height="16" rx="2" />
      <text className="flag" x="4" y="11.5" xmlSpace="preserve">
        {text}
      </text>
    </g>
  );
}

/** Bars over the columns: what one row reads, on the scale that all maps share. */
function RowProfile(props: {
  drawn: DrawnMap;
  row: number;
  peak: number;
  layout: MapLayout;
  size: number;
  captions: boolean;
}) {
  const { drawn, row, peak, layout, size, captions } = props;
  const { signed } = drawn.scale;
  const { path, zero } = profilePath(drawn.values, drawn.L, row, layout.cell, layout.profileHeight, peak, signed);
  return (
    <g>
      <line className="rule" x1="0" x2={size} y1={Math.round(zero) + 0.5} y2={Math.round(zero) + 0.5} />
      <path className={`${drawn.source.model.slot}-fill`} d={path} />
      {captions && (
        <>
          <text className="axis small" x="-9" y="10" textAnchor="end">
            {(signed ? '±' : '') + formatPlain(peak)}
          </text>
          <text className="axis small" x="-9" y={zero + 3.5} textAnchor="end">
            row {row}
          </text>
        </>
      )}
    </g>
  );
}

/** Row profile, cross, cell and flags of one map. Only this is redrawn on hover; the cells are not. */
export const MapOverlay = memo(function MapOverlay(props: {
  model: ModelView;
  drawn: DrawnMap | undefined;
  all: readonly (DrawnMap | undefined)[];
  layout: MapLayout;
  place: { left: number; top: number; size: number };
  width: number;
  captions: boolean;
}) {
  const { model, drawn, all, layout, place, width, captions } = props;
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const lock = useSelection((s) => s.lock);
  const { cell } = layout;
  const rowOf = (m: ModelView) => shownRow(m, destination, lock?.destination);
  const row = rowOf(model);
  const peak = Math.max(
    ...all.map((map) => (map ? rowPeak(map.values, map.L, Math.min(map.L - 1, rowOf(map.source.model))) : 0)),
  );
  const hoverRow = ownToken(model, destination);
  const hoverColumn = ownToken(model, source);
  const lockRow = ownToken(model, lock?.destination);
  const lockColumn = ownToken(model, lock?.source);
  const crossRow = hoverRow ?? (destination === undefined ? lockRow : undefined);
  const crossColumn = hoverColumn ?? (source === undefined && destination === undefined ? lockColumn : undefined);
  const side = Math.max(cell, 1);
  const top = layout.profileHeight + layout.profileGap;
  return (
    <svg className="layer overlay" width={width} height={layout.height} aria-hidden="true">
      <g transform={`translate(${place.left},${place.top})`}>
        {drawn && row < drawn.L && (
          <RowProfile drawn={drawn} row={row} peak={peak} layout={layout} size={place.size} captions={captions} />
        )}
        <g transform={`translate(0,${top})`}>
          {crossRow !== undefined && (
            <rect className="hovered" x="0" y={crossRow * cell - 0.5} width={place.size} height={side + 1} />
          )}
          {crossColumn !== undefined && (
            <rect className="hovered" x={crossColumn * cell - 0.5} y="0" width={side + 1} height={place.size} />
          )}
          {crossRow !== undefined && crossColumn !== undefined && crossColumn <= crossRow && (
            <rect
              className="selected"
              x={crossColumn * cell - 1.5}
              y={crossRow * cell - 1.5}
              width={side + 3}
              height={side + 3}
            />
          )}
          {lockRow !== undefined && lockColumn !== undefined && (
            <rect
              className="selected"
              x={lockColumn * cell - 1.5}
              y={lockRow * cell - 1.5}
              width={side + 3}
              height={side + 3}
            />
          )}
          {hoverRow !== undefined && captions && (
            <Flag model={model} token={hoverRow} at={(hoverRow + 0.5) * cell} size={place.size} side="row" />
          )}
          {hoverColumn !== undefined && (
            <Flag model={model} token={hoverColumn} at={(hoverColumn + 0.5) * cell} size={place.size} side="column" />
          )}
        </g>
      </g>
    </svg>
  );
});
