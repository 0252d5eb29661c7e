'use client';
import { memo, useCallback, useMemo } from 'react';
import type { Lens } from '@/lib/api/bodies';
import { formatPlain, formatSigned } from '@/lib/figures/numbers';
import { colourTable, cssColour, inkOn } from '@/lib/figures/palette';
import type { LayerAxis } from '../charts/layerAxis';
import type { LensColour } from '../charts/lensCells';
import { cut, displayToken } from '../charts/tokens';
import { lensRow } from '../data/series';
import { ownToken, type View } from '../data/view';
import { usePalette } from '../state/theme';
import { AxisTicks, RowLabel } from '../ui/AxisParts';
import { DrawnCanvas } from '../ui/canvas';
import type { Pen } from '../ui/drawings';
import { useFontsReady, usePixelRatio } from '../ui/measure';
import { GridHit, GridOverlay, ROW, TOP } from './LensGrid';
import { cellDifference, DIFFERENCES, differenceLimit } from './lensDifference';

/** From this width of a cell its number is written into it. */
const NUMBERED = 48;

/** B − A of both lens grids in the quantity that colours them, on the signed ramp. */
export const LensDifference = memo(function LensDifference(props: {
  view: View;
  axis: LayerAxis;
  lenses: readonly (Lens | undefined)[];
  colour: LensColour;
  rows: readonly number[];
}) {
  const { view, axis, lenses, colour, rows } = props;
  const palette = usePalette();
  const pixelRatio = usePixelRatio();
  const fontsReady = useFontsReady();
  const { values, limit } = useMemo(() => {
    const [a, b] = view.models.map((model, k) =>
      rows.map((ofA) => {
        const [lens, own] = [lenses[k], ownToken(model, ofA)];
        return lens && own !== undefined ? lensRow(lens, own, axis.layers) : [];
      }),
    );
    const cells = rows.map((_, row) =>
      Array.from({ length: axis.layers + 2 }, (_, column) => cellDifference(a[row][column], b[row][column], colour)),
    );
    return { values: cells, limit: differenceLimit(cells.flat(), colour) };
  }, [view.models, lenses, rows, axis.layers, colour]);
  const height = TOP + rows.length * ROW;
  const draw = useCallback(
    (context: Pen) => {
      const table = colourTable(palette, 'diverging');
      const edge = (k: number) => Math.round(k * axis.pitch * pixelRatio) / pixelRatio;
      context.font = fontsReady ? "500 10.5px 'IBM Plex Mono', monospace" : '500 10.5px monospace';
      context.textBaseline = 'middle';
      context.textAlign = 'right';
      values.forEach((row, r) => {
        row.forEach((value, column) => {
          const t = value === undefined ? undefined : Math.min(1, Math.max(0, 0.5 + value / (2 * limit)));
          context.fillStyle = t === undefined ? palette.sunken : cssColour(table, t);
          context.fillRect(edge(column), r * ROW, edge(column + 1) - edge(column), ROW - 1);
          if (t === undefined || axis.pitch < NUMBERED) return;
          context.fillStyle = inkOn(palette, table, t);
          context.fillText(formatSigned(value), edge(column + 1) - 5, r * ROW + ROW / 2);
        });
      });
      context.fillStyle = palette.bg;
      context.fillRect(edge(axis.layers + 1) - 2, 0, 3, rows.length * ROW);
    },
    [axis, values, limit, palette, pixelRatio, fontsReady, rows.length],
  );
  return (
    <div>
      <div
        className="figure"
        role="img"
        aria-label={`Lens, B − A: ${DIFFERENCES[colour].unit}, layers by positions ${rows[0]} to ${rows[rows.length - 1]}.`}
        data-testid="lens-difference"
        style={{ height }}
      >
        <DrawnCanvas
          width={axis.width - axis.gutter}
          height={rows.length * ROW}
          pixelRatio={pixelRatio}
          draw={draw}
          style={{ left: axis.gutter, top: TOP }}
        />
        <svg className="layer" width={axis.width} height={height} aria-hidden="true">
          <RowLabel y={14} text="B − A" narrow={axis.narrow} />
          <AxisTicks axis={axis} layer={view.layer} y={14} pill={false} />
          {rows.map((ofA, k) => (
            <text
              key={ofA}
              className={`token${ofA === view.position ? ' strong' : ''}`}
              x={axis.gutter - 6}
              y={TOP + k * ROW + 13.5}
              textAnchor="end"
              style={{ fontSize: 10.5 }}
            >
              {cut(displayToken(view.tokens[ofA].text), axis.narrow ? 5 : 9)}
            </text>
          ))}
        </svg>
        <GridOverlay view={view} model={view.models[0]} axis={axis} rows={rows} height={height} />
        <GridHit view={view} model={view.models[0]} axis={axis} rows={rows} height={height} />
      </div>
      <p className="note">
        B − A: {DIFFERENCES[colour].unit}; colours end at ±{formatPlain(limit)}.
      </p>
    </div>
  );
});
