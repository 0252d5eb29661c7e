import { memo } from 'react';
import { runsOf } from '../charts/allocation';
import { LABEL_BASELINE, LABEL_GAP, labelText } from '../charts/axisLabels';
import { bracketPath, readoutPath } from '../charts/mapMarks';
import { displayToken } from '../charts/tokens';
import { type LabelsProps, type TokenAxis, useTokenAxes } from './tokenAxes';

/** Classes that have a bar along the axes; the needle has its bracket. */
const CLASSES = ['competing', 'question'] as const;
/** Thickness of a bar. */
const BAR = 4;

/** Labels of one axis in a frame whose y runs along it; the frame of columns is that of rows, turned. */
function Labels({ tokens, labels, fontSize, limit, numbered, strong }: TokenAxis) {
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
        {labelText({ limit, numbered }, token, displayToken(tokens[token].text))}
      </text>
    </g>
  ));
}

/** Token labels, needle brackets, axis words and the read-out's mark; the origin is the cells' top left corner. */
export const MapLabels = memo(function MapLabels(props: LabelsProps) {
  const { model, layout, frame, rows } = props;
  const { narrow } = layout;
  const { position, needle } = model;
  const { size, x, y } = frame;
  const { down, across } = useTokenAxes(props);
  const inside = (at: number) => Math.min(size, Math.max(0, at));
  const needleRows = needle && bracketPath(y(needle[0]), y(needle[1] + 1), size, 'row');
  const needleColumns = needle && bracketPath(x(needle[0]), x(needle[1] + 1), size, 'column');
  const readout = readoutPath(y(position + 0.5), size);
  // Where most tokens have no label, classes are seen along the axes.
  const bars = across.numbered
    ? CLASSES.flatMap((name) => runsOf(model.classes, name).map(([from, to]) => ({ name, from, to })))
    : [];
  return (
    <>
      {rows && (
        <>
          <Labels {...down} />
          {bars.map(({ name, from, to }) => {
            const [top, bottom] = [inside(y(from)), inside(y(to))];
            return (
              <rect
                key={from}
                className={`piece class-${name}`}
                x={-BAR - 1}
                width={BAR}
                y={top}
                height={bottom - top}
              />
            );
          })}
          {needleRows && <path className="bracket" d={needleRows} />}
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
        <g transform="rotate(-90)">
          <Labels {...across} />
        </g>
        {bars.map(({ name, from, to }) => {
          const [left, right] = [inside(x(from)), inside(x(to))];
          return <rect key={from} className={`piece class-${name}`} x={left} width={right - left} y={1} height={BAR} />;
        })}
        {needleColumns && <path className="bracket" d={needleColumns} />}
      </g>
      {readout && <path className="ink" d={readout} />}
    </>
  );
});
