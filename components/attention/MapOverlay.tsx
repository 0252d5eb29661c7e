'use client';
import { memo } from 'react';
import type { MapLayout } from '../charts/mapLayout';
import { cellsTop } from '../charts/mapLayout';
import { formatPlain } from '../charts/numbers';
import { rowPeak } from '../charts/pair';
import { bars, joined } from '../charts/profile';
import { displayToken } from '../charts/tokens';
import type { MapFrame } from '../charts/window';
import { type ModelView, ownRegion, ownToken } from '../data/view';
import { useBrush } from '../state/brush';
import { useHover } from '../state/hover';
import { useSelection } from '../state/selection';
import type { DrawnMap } from './drawnMaps';
import type { MapPanel } from './panels';

/** The row under the pointer, else the locked one, else the read-out, in a model's own tokens. */
export function shownRow(model: ModelView, hovered: number | undefined, locked: number | undefined): number {
  return ownToken(model, hovered) ?? ownToken(model, locked) ?? model.position;
}

/** A token written in full beside its row or under its column. */
function Flag(props: { model: ModelView; token: number; at: number; size: number; side: 'row' | 'column' }) {
  const { model, token, at, size, side } = props;
  if (at < 0 || at > size) return null;
  const text = `${token} ${displayToken(model.tokens[token].text)}`;
  const width = [...text].length * 6.4 + 8;
  const x = side === 'row' ? -8 - width : Math.min(Math.max(0, at - width / 2), size - width);
  const y = side === 'row' ? at - 8 : size + 8;
  // No transforms: one that changes makes the browser sort its layers anew.
  return (
    <>
      <rect className="ink" x={x} y={y} width={width} height="16" rx="2" />
      <text className="flag" x={x + 4} y={y + 11.5} xmlSpace="preserve">
        {text}
      </text>
    </>
  );
}

/** Bars over the columns: what one row reads, on the scale that all maps share. */
function RowProfile(props: {
  panel: MapPanel;
  drawn: DrawnMap;
  row: number;
  peak: number;
  height: number;
  frame: MapFrame;
  captions: boolean;
}) {
  const { panel, drawn, row, peak, height, frame, captions } = props;
  const { signed } = drawn.scale;
  const { column0, column1 } = frame.region;
  const values = drawn.values.subarray(row * drawn.L, (row + 1) * drawn.L);
  const { path, zero } = bars(joined(values, column0, column1, frame.size), frame.size, height, peak, signed);
  return (
    <g>
      <line className="rule" x1="0" x2={frame.size} y1={Math.round(zero) + 0.5} y2={Math.round(zero) + 0.5} />
      <path className={panel.name === 'Δ' ? 'neutral-fill' : `${panel.name}-fill`} d={path} />
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

/** The rectangle that is being dragged, on every map. */
function Brush({ model, frame }: { model: ModelView; frame: MapFrame }) {
  const brush = useBrush((s) => s.brush);
  if (!brush) return null;
  const { row0, row1, column0, column1 } = ownRegion(model, brush);
  return (
    <rect
      className="brush"
      x={frame.x(column0)}
      y={frame.y(row0)}
      width={(column1 - column0) * frame.cellWidth}
      height={(row1 - row0) * frame.cellHeight}
    />
  );
}

/** Row profile, cross, cell and flags of one map. Only this is redrawn on hover; the cells are not. */
export const MapOverlay = memo(function MapOverlay(props: {
  panel: MapPanel;
  all: readonly MapPanel[];
  layout: MapLayout;
  frame: MapFrame;
  left: number;
  top: number;
  captions: boolean;
}) {
  const { panel, all, layout, frame, left, top, captions } = props;
  const { drawn, entry } = panel;
  const { model } = entry;
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const lock = useSelection((s) => s.lock);
  const rowOf = (m: ModelView) => shownRow(m, destination, lock?.destination);
  const row = rowOf(model);
  const peak = Math.max(
    ...all.map(({ drawn: map, entry: { model: m } }) =>
      map ? rowPeak(map.values, map.L, Math.min(map.L - 1, rowOf(m))) : 0,
    ),
  );
  const hoverRow = ownToken(model, destination);
  const hoverColumn = ownToken(model, source);
  const lockRow = ownToken(model, lock?.destination);
  const lockColumn = ownToken(model, lock?.source);
  const crossRow = hoverRow ?? (destination === undefined ? lockRow : undefined);
  const crossColumn = hoverColumn ?? (source === undefined && destination === undefined ? lockColumn : undefined);
  const { size, x, y } = frame;
  const [width, height] = [Math.max(frame.cellWidth, 1), Math.max(frame.cellHeight, 1)];
  const box = { width: layout.gutter + size + 12, height: cellsTop(layout) + size + 30 };
  const cell = (i: number, j: number) => (
    <rect className="selected" x={x(j) - 1.5} y={y(i) - 1.5} width={width + 3} height={height + 3} />
  );
  return (
    <svg
      className="layer overlay"
      style={{ left: left - layout.gutter, top, right: 'auto', bottom: 'auto' }}
      {...box}
      aria-hidden="true"
    >
      <g transform={`translate(${layout.gutter},0)`}>
        <rect className="extent" x={-layout.gutter} {...box} />
        {drawn && row < drawn.L && (
          <RowProfile
            panel={panel}
            drawn={drawn}
            row={row}
            peak={peak}
            height={layout.profileHeight}
            frame={frame}
            captions={captions}
          />
        )}
        <g transform={`translate(0,${cellsTop(layout)})`}>
          <svg
            aria-hidden="true"
            x="-2"
            y="-2"
            width={size + 4}
            height={size + 4}
            viewBox={`-2 -2 ${size + 4} ${size + 4}`}
          >
            {crossRow !== undefined && (
              <rect className="hovered" x="0" y={y(crossRow) - 0.5} width={size} height={height + 1} />
            )}
            {crossColumn !== undefined && (
              <rect className="hovered" x={x(crossColumn) - 0.5} y="0" width={width + 1} height={size} />
            )}
            {crossRow !== undefined &&
              crossColumn !== undefined &&
              crossColumn <= crossRow &&
              cell(crossRow, crossColumn)}
            {lockRow !== undefined && lockColumn !== undefined && cell(lockRow, lockColumn)}
            <Brush model={model} frame={frame} />
          </svg>
          <rect className="extent" x={-layout.gutter} y={-cellsTop(layout)} {...box} />
          {hoverRow !== undefined && captions && (
            <Flag model={model} token={hoverRow} at={y(hoverRow + 0.5)} size={size} side="row" />
          )}
          {hoverColumn !== undefined && (
            <Flag model={model} token={hoverColumn} at={x(hoverColumn + 0.5)} size={size} side="column" />
          )}
        </g>
      </g>
    </svg>
  );
});
