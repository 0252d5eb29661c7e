'use client';
import type { ReactNode } from 'react';
import type { Maybe } from '@/lib/figures/numbers';
import type { CurveScale } from '@/lib/figures/scale';
import { coincidences } from '../charts/coincide';
import type { LayerAxis } from '../charts/layerAxis';
import { clearHover, hover, useHover } from '../state/hover';
import { type ModelSlot, select } from '../state/selection';
import { TickNumber } from './AxisParts';
import { HitArea } from './HitArea';
import { usePaper } from './measure';

/** Radius of the dot on a line, and of one that another stands on. */
const DOT = 4;
const COVERED = 6.5;

/** Circle for A, square for B, triangle for a value that stands on the floor. */
export function Mark(props: { slot: ModelSlot; x: number; y: number; r: number; low: boolean }) {
  const { slot, x, y, r, low } = props;
  const className = `mark ${slot}-line`;
  if (low) return <path className={className} d={`M${x},${y + r + 1}l${-r - 1},${-2 * r}h${2 * r + 2}z`} />;
  return slot === 'A' ? (
    <circle className={className} cx={x} cy={y} r={r} />
  ) : (
    <rect className={className} x={x - r} y={y - r} width={2 * r} height={2 * r} />
  );
}

/** What the overlay puts a dot on. */
export interface DottedLine {
  readonly key: string;
  readonly className: string;
  readonly values: readonly Maybe[];
}

/** Lines at the selected and hovered layers, with the values there as dots. Only this is redrawn on hover. */
export function CurveOverlay(props: {
  axis: LayerAxis;
  layer: number;
  /** Where the lines of the layers begin. */
  top?: number;
  height: number;
  lines: readonly DottedLine[];
  scale: CurveScale;
  /** Stands above the lines of the layers. */
  children?: ReactNode;
}) {
  const { axis, layer, top = 0, height, lines, scale, children } = props;
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
      <line className="hovered" x1={at(layer)} x2={at(layer)} y1={top} y2={height} strokeOpacity=".9" />
      {hovered !== undefined && hovered !== layer && (
        <line
          className="hovered"
          x1={at(hovered)}
          x2={at(hovered)}
          y1={top}
          y2={height}
          strokeDasharray="2 2"
          strokeOpacity=".6"
        />
      )}
      {lines.map(({ key, className, values }, k) => {
        const value = values[shown + 1];
        const covered = lines.slice(k + 1).some((other) => coincidences(values, other.values, scale.y)[shown + 1]);
        return typeof value === 'number' && Number.isFinite(value) ? (
          <circle
            key={key}
            className={className}
            cx={axis.x(shown)}
            cy={scale.y(value)}
            r={covered ? COVERED : DOT}
            stroke="var(--bg)"
            strokeWidth="1.5"
          />
        ) : null;
      })}
      {children}
    </svg>
  );
}

/** Horizontal lines with their values, and the quantity along the side of the plot between `top` and `bottom`. */
export function Grid(props: {
  axis: LayerAxis;
  scale: CurveScale;
  title: string;
  unit?: string;
  top?: number;
  bottom: number;
}) {
  const { axis, scale, title, unit, top = 0, bottom } = props;
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
          <TickNumber x={axis.gutter - 8} y={y + 3.5} text={text} exponent={exponent} />
        </g>
      ))}
      {!axis.narrow && (
        <text className="title" transform={`translate(12,${(top + bottom) / 2}) rotate(-90)`} textAnchor="middle">
          {title}
          {unit && <tspan className="unit">, {unit}</tspan>}
        </text>
      )}
    </g>
  );
}

/** Height of the quantity above a narrow printed plot, in pixels. */
const TITLE = 16;

/** Pixels above a plot for the quantity that is named beside a wide one: on a narrow page its section says it, a printed plot is alone. */
export function useTitleRoom({ narrow }: Pick<LayerAxis, 'narrow'>): number {
  const printed = usePaper(({ width }) => width !== null);
  return printed && narrow ? TITLE : 0;
}

/** The quantity in the room of {@link useTitleRoom}; nothing where there is none. */
export function NarrowTitle({ axis, title, unit }: { axis: LayerAxis; title: string; unit?: string }) {
  return useTitleRoom(axis) === 0 ? null : (
    <text className="title" x="0" y={TITLE - 5}>
      {title}
      {unit && <tspan className="unit">, {unit}</tspan>}
    </text>
  );
}

/** Hover and click choose a layer, over all of a plot. */
export function LayerHit({ axis, height }: { axis: LayerAxis; height: number }) {
  return (
    <HitArea
      style={{ left: axis.gutter, width: axis.width - axis.gutter, top: 0, height }}
      onPoint={(x) => hover({ origin: 'curve', layer: axis.at(x + axis.gutter) })}
      onLeave={clearHover}
      onPick={(x) => select({ layer: Math.min(Math.max(0, axis.at(x + axis.gutter)), axis.layers - 1) })}
    />
  );
}
