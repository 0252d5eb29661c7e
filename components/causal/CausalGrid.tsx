'use client';
import { type KeyboardEvent, memo, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import type { LayerAxis } from '../charts/layerAxis';
import { cut, displayToken } from '../charts/tokens';
import { ownToken, type View } from '../data/view';
import { clearHover, hover, useHover } from '../state/hover';
import { select } from '../state/selection';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { GridCells } from './GridCells';
import { extended, type GridLayout, type GridValues, gridLayout, movedCell, strongestRow, UNTESTED } from './grid';
import { type GridCell, setCausal, togglePin, useCausal } from './settings';

/** The pointer must travel this far before a press becomes a drag. */
const DRAG_FROM = 4;
const SPEAK_AFTER_MS = 300;
/** Columns of this width name the model over each half. */
const ROOM_FOR_NAMES = 84;

interface GridProps {
  readonly view: View;
  readonly axis: LayerAxis;
  readonly values: readonly (GridValues | undefined)[];
  readonly limit: number;
  /** Tokens in bold: those in which two prompts differ. */
  readonly marked: ReadonlySet<number>;
  readonly label: string;
  /** Whether a drag over the rows chooses a span of tokens. */
  readonly brushes: boolean;
  /** Cells of each model with a mark, as `layer.token` of its own. */
  readonly checked?: readonly ReadonlySet<string>[];
}

/** Selected layer, what is under the pointer, the pin and the span. Only this is redrawn on hover. */
function GridOverlay({
  view,
  axis,
  layout,
  brushes,
}: Pick<GridProps, 'view' | 'axis' | 'brushes'> & { layout: GridLayout }) {
  const layer = useHover((s) => s.layer);
  const destination = useHover((s) => s.destination);
  const source = useHover((s) => s.source);
  const pairs = useHover((s) => s.origin === 'map' || s.origin === 'chip');
  const pin = useCausal((s) => s.pin);
  const span = useCausal((s) => s.span);
  const rows = new Set(pairs ? [destination, source] : [destination]);
  const column = (l: number, className: string) => (
    <rect
      className={className}
      x={axis.x(l) - axis.pitch / 2 - 0.5}
      y={layout.top - 0.75}
      width={axis.pitch + 0.5}
      height={layout.rows * layout.row + 0.5}
    />
  );
  return (
    <svg
      className="layer overlay"
      width={axis.width}
      height={layout.height}
      aria-hidden="true"
      data-hover-layer={layer ?? ''}
    >
      {column(view.layer, 'selected')}
      {layer !== undefined && layer !== view.layer && layer >= 0 && layer < axis.layers && column(layer, 'hovered')}
      {[...rows].map((row) =>
        row !== undefined && row < layout.rows ? (
          <rect
            key={row}
            className="hovered"
            x={axis.gutter}
            y={layout.y(row) - 0.5}
            width={axis.width - axis.gutter}
            height={layout.row}
          />
        ) : null,
      )}
      {brushes && span && span[0] < layout.rows && (
        <rect
          className="brush"
          x={axis.gutter}
          y={layout.y(span[0]) - 0.5}
          width={axis.width - axis.gutter}
          height={(Math.min(span[1], layout.rows - 1) - span[0] + 1) * layout.row}
        />
      )}
      {pin && pin.position < layout.rows && (
        <rect
          className="pinned"
          x={axis.x(pin.layer) - axis.pitch / 2 + 0.5}
          y={layout.y(pin.position)}
          width={axis.pitch - 2}
          height={layout.row - 1}
        />
      )}
    </svg>
  );
}

/** A mark in the corner of cells. */
function Marks({ view, layout, checked }: Pick<GridProps, 'view' | 'checked'> & { layout: GridLayout }) {
  return view.models.flatMap((model, m) =>
    Array.from({ length: layout.rows }, (_, row) => row).flatMap((row) => {
      const own = ownToken(model, row);
      return Array.from({ length: model.layers }, (_, layer) => layer).flatMap((layer) => {
        if (own === undefined || !checked?.[m]?.has(`${layer}.${own}`)) return [];
        const { x, width } = layout.cell(layer, m);
        const size = Math.min(6, width);
        return (
          <path
            key={`${model.slot}.${layer}.${own}`}
            className="ink"
            data-testid="checked-cell"
            d={`M${x},${layout.y(row)}h${size}l${-size},${Math.min(6, layout.row)}z`}
          />
        );
      });
    }),
  );
}

function Labels({ view, axis, layout, marked }: Pick<GridProps, 'view' | 'axis' | 'marked'> & { layout: GridLayout }) {
  const needle = view.models[0].needle;
  return (
    <svg className="layer" width={axis.width} height={layout.height} aria-hidden="true">
      <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} ends={false} />
      <RowLabel y={14} text="token" narrow={axis.narrow} />
      {view.models.length > 1 &&
        axis.pitch >= ROOM_FOR_NAMES &&
        Array.from({ length: axis.layers }, (_, layer) => layer).map((layer) =>
          view.models.map(({ slot }, k) => {
            const { x, width } = layout.cell(layer, k);
            return (
              <text
                key={`${slot}${layer}`}
                className={`axis small ${slot}-fill`}
                x={x + width / 2}
                y={14}
                textAnchor="middle"
              >
                {slot}
              </text>
            );
          }),
        )}
      {view.tokens.slice(0, layout.rows).map(({ text }, row) => {
        const y = layout.y(row) + layout.row / 2 + 3.5;
        const strong = marked.has(row);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: tokens are known by their place.
          <g key={row}>
            {!axis.narrow && (
              <text className="axis token" x="0" y={y}>
                {row}
              </text>
            )}
            <text
              className={`token${strong ? ' strong' : ''}`}
              x={axis.gutter - 7}
              y={y}
              textAnchor="end"
              style={{ fontSize: layout.row < 14 ? 9.5 : 10.5 }}
            >
              {cut(displayToken(text), axis.narrow ? 5 : row >= 100 ? 7 : 9)}
            </text>
            {strong && <path className="ink" d={`M${axis.gutter - 1},${y - 3.5}l-4,-3v6z`} />}
          </g>
        );
      })}
      {needle && needle[0] < layout.rows && (
        <path
          className="bracket"
          d={`M${axis.gutter - 1.5},${layout.y(needle[0]) + 0.5}h-3v${(Math.min(needle[1], layout.rows - 1) - needle[0] + 1) * layout.row - 1}h3`}
        />
      )}
    </svg>
  );
}

/** Layers by tokens of both models: hover, pin, a cursor for the keyboard, and where asked for a span of tokens. */
export const CausalGrid = memo(function CausalGrid(props: GridProps) {
  const { view, axis, values, limit, marked, label, brushes, checked } = props;
  const rows = view.position + 1;
  const layout = useMemo(() => gridLayout(axis, rows, view.models.length), [axis, rows, view.models.length]);
  const [spoken, setSpoken] = useState('');
  const press = useRef<{ y: number; row: number; dragged: boolean } | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const frame = useRef<HTMLDivElement>(null);
  const strongest = useMemo(() => {
    const models = view.models.map((model) => ({ layers: model.layers, own: (row: number) => ownToken(model, row) }));
    return strongestRow(values, models, rows);
  }, [values, view.models, rows]);
  // Of a long prompt only some rows are in view: those where something is to be seen, but under no hand.
  useEffect(() => {
    const element = frame.current;
    if (!element || strongest === undefined || element.matches(':is(:hover, :focus-within)')) return;
    element.scrollTop = layout.y(strongest) - element.clientHeight / 2;
  }, [strongest, layout]);

  const speak = ({ layer, position }: GridCell) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const each = view.models.map((model, k) => {
        const own = ownToken(model, position);
        const value = own === undefined ? undefined : values[k]?.(layer, own);
        return `, ${model.slot} ${value === UNTESTED ? value : formatSigned(value)}`;
      });
      setSpoken(`layer ${layer}, ${position} ${view.tokens[position].text.trim()}${each.join('')}`);
    }, SPEAK_AFTER_MS);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { layer = view.layer, destination } = { ...useCausal.getState().pin, ...hoverCell() };
    const now = { layer, position: Math.min(rows - 1, destination ?? useCausal.getState().pin?.position ?? rows - 1) };
    if (event.key === 'Enter') {
      event.preventDefault();
      togglePin(now);
      select({ layer: now.layer });
      return;
    }
    const extends_ = brushes && event.shiftKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown');
    const to = movedCell(now, event.key, event.shiftKey && !extends_ ? 8 : 1, axis.layers, rows);
    if (!to) return;
    event.preventDefault();
    if (extends_) setCausal({ span: extended(useCausal.getState().span, now.position, to.position) });
    hover({ origin: 'causal', layer: to.layer, destination: to.position });
    speak(to);
  };
  const point = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left + axis.gutter, y: event.clientY - box.top + layout.top };
  };
  const rowAt = (y: number) => Math.min(rows - 1, Math.max(0, Math.floor((y - layout.top) / layout.row)));
  return (
    <div className="causal-scroll" ref={frame}>
      <div
        className="figure"
        role="application"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the grid has a cursor of its own.
        tabIndex={0}
        aria-label={label}
        data-arrows
        data-testid="causal-grid"
        style={{ height: layout.height }}
        onKeyDown={onKeyDown}
        onBlur={clearHover}
      >
        <GridCells axis={axis} layout={layout} models={view.models} values={values} limit={limit} />
        <Labels view={view} axis={axis} layout={layout} marked={marked} />
        {checked && (
          <svg className="layer" width={axis.width} height={layout.height} aria-hidden="true">
            <Marks view={view} layout={layout} checked={checked} />
          </svg>
        )}
        <GridOverlay view={view} axis={axis} layout={layout} brushes={brushes} />
        <div
          className="hit cells"
          data-testid="causal-cells"
          style={{ left: axis.gutter, top: layout.top, width: axis.width - axis.gutter, height: rows * layout.row }}
          onPointerDown={(event) => {
            const { y } = point(event);
            press.current = { y, row: rowAt(y), dragged: false };
            if (brushes) event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => {
            const { x, y } = point(event);
            const held = press.current;
            if (brushes && held && (held.dragged || Math.abs(y - held.y) > DRAG_FROM)) {
              held.dragged = true;
              const row = rowAt(y);
              setCausal({ span: [Math.min(row, held.row), Math.max(row, held.row)] });
              return;
            }
            const cell = layout.at(x, y);
            if (!cell) return clearHover();
            const slot = view.models[cell.model].slot;
            hover({ origin: 'causal', model: slot, layer: cell.layer, destination: cell.row });
          }}
          onPointerUp={(event) => {
            const { x, y } = point(event);
            const held = press.current;
            press.current = null;
            const cell = layout.at(x, y);
            if (held?.dragged || !cell) return;
            togglePin({ layer: cell.layer, position: cell.row });
            select({ layer: cell.layer });
          }}
          onPointerCancel={() => {
            press.current = null;
          }}
          onPointerLeave={clearHover}
        />
        <span className="visually-hidden" aria-live="polite" data-export="omit">
          {spoken}
        </span>
      </div>
    </div>
  );
});

/** Where the cursor is, if it is in a grid. */
function hoverCell(): { layer?: number; destination?: number } {
  const { layer, destination } = useHover.getState();
  return { ...(layer !== undefined && { layer }), ...(destination !== undefined && { destination }) };
}
