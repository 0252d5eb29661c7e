'use client';
import { memo } from 'react';
import { formatPlain } from '@/lib/figures/numbers';
import { runsOf } from '../charts/allocation';
import type { MapLayout } from '../charts/mapLayout';
import { cellsTop } from '../charts/mapLayout';
import { flagBox } from '../charts/mapMarks';
import { bars, joined, profileCaption } from '../charts/profile';
import { displayToken } from '../charts/tokens';
import type { MapFrame } from '../charts/window';
import type { DrawnMap } from '../data/drawnMaps';
import type { MapPanel } from '../data/panels';
import { type ModelView, ownRegion } from '../data/view';
import { useBrush } from '../state/brush';
import { useHover } from '../state/hover';
import { useSelection } from '../state/selection';
import { marksOf, profilePeak } from './marks';

/** How far left of the cells a flag of twenty letters reaches. */
const FLAG_REACH = 150;

/** A token written in full beside its row or under its column. */
function Flag(props: { model: ModelView; token: number; at: number; size: number; side: 'row' | 'column' }) {
  const { model, token, at, size, side } = props;
  const text = `${token} ${displayToken(model.tokens[token].text)}`;
  const box = flagBox([...text].length, at, size, side);
  if (!box) return null;
  const { x, y, width, height, textX, textY } = box;
  // No transforms: one that changes makes the browser sort its layers anew.
  return (
    <>
      <rect className="ink" x={x} y={y} width={width} height={height} rx="2" />
      <text className="flag" x={textX} y={textY} xmlSpace="preserve">
        {text}
      </text>
    </>
  );
}

/** Bars over the columns: what one row reads, on the scale that all maps share. */
const RowProfile = memo(function RowProfile(props: {
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
          <text className="axis small" x="-9" y={profileCaption(height)} textAnchor="end">
            row {row}
          </text>
        </>
      )}
    </g>
  );
});

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
  const tokenClass = useHover((s) => s.tokenClass);
  const lock = useSelection((s) => s.lock);
  const { row, hoverRow, hoverColumn, lockRow, lockColumn, crossRow, crossColumn } = marksOf(
    model,
    { destination, source },
    lock,
  );
  const peak = profilePeak(all, destination, lock);
  const { size, x, y } = frame;
  const [width, height] = [Math.max(frame.cellWidth, 1), Math.max(frame.cellHeight, 1)];
  const box = { width: layout.gutter + size + 12, height: cellsTop(layout) + size + 30 };
  // Flags of long tokens reach out of the gutter.
  const reach = Math.max(layout.gutter, FLAG_REACH);
  const extent = { ...box, width: reach + size + 12 };
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
        <rect className="extent" data-export="omit" x={-reach} {...extent} />
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
            {tokenClass &&
              runsOf(model.classes, tokenClass).map(([start, end]) => (
                <rect
                  key={start}
                  className={`class-columns class-${tokenClass}`}
                  x={x(start)}
                  y={y(start)}
                  width={(end - start) * frame.cellWidth}
                  height={y(model.position + 1) - y(start)}
                />
              ))}
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
          <rect className="extent" data-export="omit" x={-reach} y={-cellsTop(layout)} {...extent} />
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
