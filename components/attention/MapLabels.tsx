import { memo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { labelPriorities, thinLabels } from '../charts/labels';
import { labelStyle, type MapLayout } from '../charts/mapLayout';
import { cut, displayToken, sameWord } from '../charts/tokens';
import type { ModelView } from '../data/view';
import type { Cell } from '../state/selection';

const ROW_LANE = 60;
const COLUMN_LANE = 48;

interface LabelsProps {
  readonly model: ModelView;
  readonly layout: MapLayout;
  readonly target: string;
  readonly lock: Cell | null;
  readonly size: number;
  /** Whether row labels stand left of this map. */
  readonly rows: boolean;
}

/** A bracket along the needle, on an axis that runs down or to the right. */
const bracket = (needle: readonly [number, number], cell: number, axis: 'row' | 'column') => {
  const [from, to] = [needle[0] * cell + 0.5, (needle[1] + 1) * cell - 0.5];
  return axis === 'row' ? `M-3,${from}h-3V${to}h3` : `M${from},3v3H${to}v-3`;
};

/** The tokens that get a label on one axis of a map, and which of them stand out. */
interface AxisLabels {
  readonly tokens: readonly Token[];
  readonly indices: readonly number[];
  readonly layout: MapLayout;
  readonly strong: (k: number) => boolean;
}

function RowLabels({ tokens, indices, layout, strong }: AxisLabels) {
  const { cell, lanes, narrow } = layout;
  const { fontSize, rowLimit } = labelStyle(cell, lanes, narrow);
  return indices.map((i) => {
    const lane = lanes === 2 ? i % 2 : 0;
    const x = -9 - lane * ROW_LANE;
    const y = (i + 0.5) * cell;
    return (
      <g key={i}>
        {lane === 1 && <line className="grid" x1={x + 2} x2="-9" y1={y} y2={y} />}
        <text
          className={`token${strong(i) ? ' strong' : ''}${lanes === 2 && lane === 0 ? ' halo' : ''}`}
          x={x}
          y={y + 3.2}
          textAnchor="end"
          style={{ fontSize }}
        >
          {cut(displayToken(tokens[i].text), rowLimit)}
        </text>
      </g>
    );
  });
}

function ColumnLabels({ tokens, indices, layout, strong }: AxisLabels) {
  const { cell, lanes, narrow } = layout;
  const { fontSize, columnLimit } = labelStyle(cell, lanes, narrow);
  return indices.map((j) => {
    const lane = lanes === 2 ? j % 2 : 0;
    const x = (j + 0.5) * cell;
    const y = 9 + lane * COLUMN_LANE;
    return (
      <g key={j}>
        {lane === 1 && <line className="grid" x1={x} x2={x} y1="9" y2={y - 2} />}
        <text
          className={`token${strong(j) ? ' strong' : ''}${lanes === 2 && lane === 0 ? ' halo' : ''}`}
          transform={`translate(${x + 3.2},${y}) rotate(-90)`}
          textAnchor="end"
          style={{ fontSize }}
        >
          {cut(displayToken(tokens[j].text), columnLimit)}
        </text>
      </g>
    );
  });
}

/** Token labels, needle brackets, axis words and the read-out's mark; the origin is the map's top left corner. */
export const MapLabels = memo(function MapLabels({ model, layout, target, lock, size, rows }: LabelsProps) {
  const { cell, lanes, narrow } = layout;
  const { tokens, position, needle } = model;
  const priorities = labelPriorities(tokens, { position, needle, target, lock: lock ?? undefined });
  const indices = thinLabels(priorities, cell, labelStyle(cell, lanes, narrow).least);
  const strong = (k: number) => k === position || sameWord(tokens[k].text, target);
  return (
    <>
      {rows && (
        <>
          <RowLabels tokens={tokens} indices={indices} layout={layout} strong={strong} />
          {needle && <path className="bracket" d={bracket(needle, cell, 'row')} />}
          <text className="axis" x="-9" y="-6" textAnchor="end">
            {narrow ? 'reads ↓' : 'destination ↓'}
          </text>
          <text className="axis" x="-9" y={size + 14} textAnchor="end">
            {narrow ? 'from →' : 'source →'}
          </text>
        </>
      )}
      <g transform={`translate(0,${size})`}>
        <ColumnLabels tokens={tokens} indices={indices} layout={layout} strong={strong} />
        {needle && <path className="bracket" d={bracket(needle, cell, 'column')} />}
      </g>
      <path className="ink" d={`M${size + 2},${(position + 0.5) * cell}l6,-4v8z`} />
    </>
  );
});
