import { memo, useMemo } from 'react';
import { MARGINAL_GAPS } from '../charts/mapMarks';
import { marginals } from '../charts/marginals';
import { bars, joined } from '../charts/profile';
import type { MapFrame } from '../charts/window';
import type { MapPanel } from '../data/panels';

/** Means of |value| over the shown rows (above the map) and columns (right of it); the origin is the cells' corner. */
export const MapMarginals = memo(function MapMarginals(props: {
  panel: MapPanel;
  frame: MapFrame;
  thickness: number;
  /** Top of the upper bars. */
  top: number;
}) {
  const { panel, frame, thickness, top } = props;
  const { drawn } = panel;
  const { region, size } = frame;
  const paths = useMemo(() => {
    if (!drawn) return undefined;
    const { rows, columns } = marginals(drawn.values, drawn.L, region);
    const across = joined(columns, 0, columns.length, size);
    const down = joined(rows, 0, rows.length, size);
    const height = thickness - MARGINAL_GAPS.bars;
    return {
      columns: bars(across, size, height, Math.max(...across), false).path,
      rows: bars(down, size, height, Math.max(...down), false, false).path,
    };
  }, [drawn, region, size, thickness]);
  if (!paths) return null;
  const className = panel.name === 'Δ' ? 'neutral-fill marginal' : `${panel.name}-fill marginal`;
  return (
    <>
      <g transform={`translate(0,${top})`}>
        <path className={className} d={paths.columns} />
        <title>Mean magnitude of each source over the destinations shown</title>
      </g>
      <g transform={`translate(${size + MARGINAL_GAPS.right},0)`}>
        <path className={className} d={paths.rows} />
        <title>Mean magnitude of each destination over the sources shown</title>
      </g>
    </>
  );
});
