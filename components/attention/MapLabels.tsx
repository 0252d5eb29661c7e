import { memo } from 'react';
import { LABEL_BASELINE, LABEL_GAP } from '../charts/axisLabels';
import { cut, displayToken } from '../charts/tokens';
import { type LabelsProps, type TokenAxis, useTokenAxes } from './tokenAxes';

/** The part of [from, to) that lies in a frame of `size` pixels, or undefined. */
const inside = (from: number, to: number, size: number): [number, number] | undefined =>
  to > 0 && from < size ? [Math.max(0, from), Math.min(size, to)] : undefined;

/** A bracket along the needle, on an axis that runs down or to the right. */
const bracket = ([from, to]: [number, number], axis: 'row' | 'column') =>
  axis === 'row' ? `M-3,${from + 0.5}h-3V${to - 0.5}h3` : `M${from + 0.5},3v3H${to - 0.5}v-3`;

/** Labels of one axis in a frame whose y runs along it; the frame of columns is that of rows, turned. */
function Labels({ tokens, labels, fontSize, limit, strong }: TokenAxis) {
  return labels.map(({ token, at, away, leader, crossed }) => (
    <g key={token}>
      {leader && <line className="grid" x1={2 - away} x2={-LABEL_GAP} y1={at} y2={at} />}
      <text
        className={`token${strong(token) ? ' strong' : ''}${crossed ? ' halo' : ''}`}
        x={-away}
        y={at + LABEL_BASELINE}
        textAnchor="end"
        style={{ fontSize }}
      >
        {cut(displayToken(tokens[token].text), limit)}
      </text>
    </g>
  ));
}

/** Token labels, needle brackets, axis words and the read-out's mark; the origin is the cells' top left corner. */
export const MapLabels = memo(function MapLabels(props: LabelsProps & { moving: boolean }) {
  const { model, layout, frame, rows, moving } = props;
  const { narrow } = layout;
  const { position, needle } = model;
  const { size, x, y } = frame;
  const { down, across } = useTokenAxes(props);
  const needleRows = needle && inside(y(needle[0]), y(needle[1] + 1), size);
  const needleColumns = needle && inside(x(needle[0]), x(needle[1] + 1), size);
  const readout = y(position + 0.5);
  return (
    <>
      {rows && (
        <>
          {!moving && <Labels {...down} />}
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
        {/* One turn for all: a transform a label would be a layer a label to sort. */}
        {!moving && (
          <g transform="rotate(-90)">
            <Labels {...across} />
          </g>
        )}
        {needleColumns && <path className="bracket" d={bracket(needleColumns, 'column')} />}
      </g>
      {readout > 0 && readout < size && <path className="ink" d={`M${size + 2},${readout}l6,-4v8z`} />}
    </>
  );
});
