'use client';
import { memo, useCallback } from 'react';
import { formatSigned } from '@/lib/figures/numbers';
import { colourTable, cssColour, inkOn, type Palette } from '@/lib/figures/palette';
import type { LayerAxis } from '../charts/layerAxis';
import { valueScale } from '../charts/values';
import { type ModelView, ownToken } from '../data/view';
import { usePalette } from '../state/theme';
import { DrawnCanvas } from '../ui/canvas';
import type { Pen } from '../ui/drawings';
import { useFontsReady, usePixelRatio } from '../ui/measure';
import { type GridLayout, type GridValues, UNTESTED } from './grid';

/** Cells of at least this size say their number, unless it is a small share of the scale. */
const NUMBER_WIDTH = 52;
const NUMBER_HEIGHT = 14;
const WORTH_A_NUMBER = 0.02;

export interface GridDrawing {
  readonly axis: LayerAxis;
  readonly layout: GridLayout;
  readonly models: readonly ModelView[];
  readonly values: readonly (GridValues | undefined)[];
  /** |value| at which colours saturate. */
  readonly limit: number;
}

/** Distance of the lines that say that there is nothing to test. */
const HATCH = 5;

/** Lines from the lower left to the upper right, within a cell. */
function hatch(
  context: Pen,
  palette: Palette,
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = palette.name === 'light' ? palette.darkInk : palette.lightInk;
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.beginPath();
  for (let from = x - height; from < x + width; from += HATCH) {
    context.moveTo(from, y + height);
    context.lineTo(from + height, y);
  }
  context.stroke();
  context.restore();
}

function draw(
  context: Pen,
  { axis, layout, models, values, limit }: GridDrawing,
  palette: Palette,
  font: string,
  pixelRatio: number,
): void {
  const table = colourTable(palette, 'diverging');
  const scale = valueScale(limit, true, 'linear');
  const snap = (v: number) => Math.round(v * pixelRatio) / pixelRatio;
  context.font = font;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  models.forEach((model, m) => {
    for (let layer = 0; layer < model.layers; layer++) {
      const cell = layout.cell(layer, m);
      const [x, end] = [snap(cell.x - axis.gutter), snap(cell.x + cell.width - axis.gutter)];
      for (let row = 0; row < layout.rows; row++) {
        const own = ownToken(model, row);
        const value = own === undefined ? undefined : values[m] ? values[m](layer, own) : null;
        if (value === undefined) continue;
        const [y, height] = [row * layout.row, layout.row - (layout.row > LEAST_GAP ? 1 : 0)];
        const amount = typeof value === 'number' ? scale.position(value) : undefined;
        context.fillStyle = amount === undefined ? palette.sunken : cssColour(table, amount);
        context.fillRect(x, y, end - x, height);
        if (value === UNTESTED) hatch(context, palette, { x, y, width: end - x, height });
        if (typeof value !== 'number' || amount === undefined || end - x < NUMBER_WIDTH || height < NUMBER_HEIGHT)
          continue;
        if (Math.abs(value) < WORTH_A_NUMBER * limit) continue;
        context.fillStyle = inkOn(palette, table, amount);
        context.fillText(formatSigned(value), end - 5, y + height / 2 + 0.5);
      }
    }
  });
}

/** Rows of this height are drawn without a gap. */
const LEAST_GAP = 6;

/** The grid's cells, one canvas. */
export const GridCells = memo(function GridCells(drawing: GridDrawing) {
  const { axis, layout, models, values, limit } = drawing;
  const palette = usePalette();
  const pixelRatio = usePixelRatio();
  const font = useFontsReady() ? "500 10.5px 'IBM Plex Mono', monospace" : '500 10.5px monospace';
  const onto = useCallback(
    (context: Pen) => draw(context, { axis, layout, models, values, limit }, palette, font, pixelRatio),
    [axis, layout, models, values, limit, palette, font, pixelRatio],
  );
  return (
    <DrawnCanvas
      width={axis.width - axis.gutter}
      height={layout.rows * layout.row}
      pixelRatio={pixelRatio}
      draw={onto}
      style={{ left: axis.gutter, top: layout.top }}
    />
  );
});
