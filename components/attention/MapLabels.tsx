import { memo, useMemo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { labelPriorities, thinLabels } from '../charts/labels';
import { labelStyle, type MapLayout } from '../charts/mapLayout';
import { cut, displayToken, sameWord } from '../charts/tokens';
import type { MapFrame } from '../charts/window';
import { type ModelView, ownToken } from '../data/view';
import type { Cell } from '../state/selection';

const ROW_LANE = 60;
const COLUMN_LANE = 48;

interface LabelsProps {
  readonly model: ModelView;
  readonly layout: MapLayout;
  readonly frame: MapFrame;
  readonly target: string;
  readonly lock: Cell | null;
  /** Whether row labels stand left of this map. */
  readonly rows: boolean;
}

/** The part of [from, to) that lies in a frame of `size` pixels, or undefined. */
const inside = (from: number, to: number, size: number): [number, number] | undefined =>
  to > 0 && from < size ? [Math.max(0, from), Math.min(size, to)] : undefined;

/** A bracket along the needle, on an axis that runs down or to the right. */
const bracket = ([from, to]: [number, number], axis: 'row' | 'column') =>
  axis === 'row' ? `M-3,${from + 0.5}h-3V${to - 0.5}h3` : `M${from + 0.5},3v3H${to - 0.5}v-3`;

/** The tokens that get a label on one axis of a map, and which of them stand out. */
interface AxisLabels {
  readonly tokens: readonly Token[];
  readonly indices: readonly number[];
  /** Centre of a token's cell. */
  readonly at: (k: number) => number;
  readonly lanes: 1 | 2;
  readonly fontSize: number;
  readonly limit: number;
  readonly strong: (k: number) => boolean;
}

const classOf = (lane: number, { lanes, strong }: AxisLabels, k: number) =>
  `token${strong(k) ? ' strong' : ''}${lanes === 2 && lane === 0 ? ' halo' : ''}`;

function RowLabels(axis: AxisLabels) {
  const { tokens, indices, at, lanes, fontSize, limit } = axis;
  return indices.map((i) => {
    const lane = lanes === 2 ? i % 2 : 0;
    const x = -9 - lane * ROW_LANE;
    const y = at(i);
    return (
      <g key={i}>
        {lane === 1 && <line className="grid" x1={x + 2} x2="-9" y1={y} y2={y} />}
        <text className={classOf(lane, axis, i)} x={x} y={y + 3.2} textAnchor="end" style={{ fontSize }}>
          {cut(displayToken(tokens[i].text), limit)}
        </text>
      </g>
    );
  });
}

function ColumnLabels(axis: AxisLabels) {
  const { tokens, indices, at, lanes, fontSize, limit } = axis;
  return indices.map((j) => {
    const lane = lanes === 2 ? j % 2 : 0;
    const x = at(j);
    const y = 9 + lane * COLUMN_LANE;
    return (
      <g key={j}>
        {lane === 1 && <line className="grid" x1={x} x2={x} y1="9" y2={y - 2} />}
        <text
          className={classOf(lane, axis, j)}
          transform={`translate(${x + 3.2},${y}) rotate(-90)`}
          textAnchor="end"
          style={{ fontSize }}
        >
          {cut(displayToken(tokens[j].text), limit)}
        </text>
      </g>
    );
  });
}

/** Token labels, needle brackets, axis words and the read-out's mark; the origin is the cells' top left corner. */
export const MapLabels = memo(function MapLabels({ model, layout, frame, target, lock, rows }: LabelsProps) {
  const { narrow } = layout;
  const { tokens, position, needle } = model;
  const { region, size, x, y } = frame;
  const priorities = useMemo(() => {
    const own = lock && { destination: ownToken(model, lock.destination), source: ownToken(model, lock.source) };
    const cell =
      own?.destination !== undefined && own.source !== undefined
        ? { destination: own.destination, source: own.source }
        : undefined;
    return labelPriorities(tokens, { position, needle, target, lock: cell });
  }, [model, tokens, position, needle, target, lock]);
  const strong = (k: number) => k === position || sameWord(tokens[k].text, target);
  const axis = (from: number, to: number, pitch: number): Omit<AxisLabels, 'at' | 'limit'> & { limits: number[] } => {
    const lanes = layout.lanes === 2 && pitch >= 5 && pitch < 11 ? 2 : 1;
    const { fontSize, least, rowLimit, columnLimit } = labelStyle(pitch, lanes, narrow);
    const indices = thinLabels(priorities.subarray(from, to), pitch, least).map((k) => k + from);
    return { tokens, indices, lanes, fontSize, strong, limits: [rowLimit, columnLimit] };
  };
  const down = axis(region.row0, region.row1, frame.cellHeight);
  const across = axis(region.column0, region.column1, frame.cellWidth);
  const needleRows = needle && inside(y(needle[0]), y(needle[1] + 1), size);
  const needleColumns = needle && inside(x(needle[0]), x(needle[1] + 1), size);
  const readout = y(position + 0.5);
  return (
    <>
      {rows && (
        <>
          <RowLabels {...down} at={(i) => y(i + 0.5)} limit={down.limits[0]} />
          {needleRows && <path className="bracket" d={bracket(needleRows, 'row')} />}
          <text className="axis" x="-9" y="-6" textAnchor="end">
            {narrow ? 'reads ↓' : 'destination ↓'}
          </text>
          <text className="axis" x="-9" y={size + 14} textAnchor="end">
            {narrow ? 'from →' : 'source →'}
          </text>
        </>
      )}
      <g transform={`translate(0,${size})`}>
        <ColumnLabels {...across} at={(j) => x(j + 0.5)} limit={across.limits[1]} />
        {needleColumns && <path className="bracket" d={bracket(needleColumns, 'column')} />}
      </g>
      {readout > 0 && readout < size && <path className="ink" d={`M${size + 2},${readout}l6,-4v8z`} />}
    </>
  );
});
