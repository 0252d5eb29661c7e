import { memo, useMemo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { type AxisLabel, type AxisLabels, axisLabels } from '../charts/axisLabels';
import { labelPriorities } from '../charts/labels';
import type { MapLayout } from '../charts/mapLayout';
import { cut, displayToken, sameWord } from '../charts/tokens';
import type { MapFrame } from '../charts/window';
import { type ModelView, ownToken } from '../data/view';
import type { Cell } from '../state/selection';

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

interface AxisProps extends AxisLabels {
  readonly tokens: readonly Token[];
  readonly strong: (token: number) => boolean;
}

const classOf = (label: AxisLabel, strong: boolean) => `token${strong ? ' strong' : ''}${label.crossed ? ' halo' : ''}`;

function RowLabels({ tokens, labels, fontSize, limit, strong }: AxisProps) {
  return labels.map((label) => {
    const { token, at, away, leader } = label;
    return (
      <g key={token}>
        {leader && <line className="grid" x1={2 - away} x2="-9" y1={at} y2={at} />}
        <text className={classOf(label, strong(token))} x={-away} y={at + 3.2} textAnchor="end" style={{ fontSize }}>
          {cut(displayToken(tokens[token].text), limit)}
        </text>
      </g>
    );
  });
}

function ColumnLabels({ tokens, labels, fontSize, limit, strong }: AxisProps) {
  return labels.map((label) => {
    const { token, at, away, leader } = label;
    return (
      <g key={token}>
        {leader && <line className="grid" x1={at} x2={at} y1="9" y2={away - 2} />}
        <text
          className={classOf(label, strong(token))}
          transform={`translate(${at + 3.2},${away}) rotate(-90)`}
          textAnchor="end"
          style={{ fontSize }}
        >
          {cut(displayToken(tokens[token].text), limit)}
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
  const { row0, row1, column0, column1 } = region;
  const down = useMemo(
    () => axisLabels({ side: 'row', from: row0, to: row1, pitch: frame.cellHeight }, priorities, layout.lanes, narrow),
    [row0, row1, frame.cellHeight, priorities, layout.lanes, narrow],
  );
  const across = useMemo(
    () =>
      axisLabels(
        { side: 'column', from: column0, to: column1, pitch: frame.cellWidth },
        priorities,
        layout.lanes,
        narrow,
      ),
    [column0, column1, frame.cellWidth, priorities, layout.lanes, narrow],
  );
  const needleRows = needle && inside(y(needle[0]), y(needle[1] + 1), size);
  const needleColumns = needle && inside(x(needle[0]), x(needle[1] + 1), size);
  const readout = y(position + 0.5);
  return (
    <>
      {rows && (
        <>
          <RowLabels {...down} tokens={tokens} strong={strong} />
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
        <ColumnLabels {...across} tokens={tokens} strong={strong} />
        {needleColumns && <path className="bracket" d={bracket(needleColumns, 'column')} />}
      </g>
      {readout > 0 && readout < size && <path className="ink" d={`M${size + 2},${readout}l6,-4v8z`} />}
    </>
  );
});
