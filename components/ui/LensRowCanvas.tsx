'use client';
import { memo, useCallback } from 'react';
import { formatCount, formatPlain } from '@/lib/figures/numbers';
import { colourTable, cssColour, inkOn, type Palette } from '@/lib/figures/palette';
import type { LayerAxis } from '../charts/layerAxis';
import {
  cellTexts,
  type LensCell,
  type LensColour,
  lensAmount,
  runLabel,
  tokenRuns,
  WIDE_CELL,
} from '../charts/lensCells';
import { displayToken } from '../charts/tokens';
import { usePalette } from '../state/theme';
import { DrawnCanvas } from './canvas';
import type { Pen } from './drawings';
import { useFontsReady, usePixelRatio } from './measure';

const FONT = "500 10.5px 'IBM Plex Mono', monospace";
const FONT_BEFORE_LOADING = '500 10.5px monospace';
const CHARACTER = 6.3;

interface RowDrawing {
  readonly axis: LayerAxis;
  readonly cells: readonly (LensCell | undefined)[];
  readonly colour: LensColour;
  readonly vocabulary: number;
  readonly height: number;
  readonly textOf: (id: number) => string;
  readonly palette: Palette;
  readonly font: string;
  readonly pixelRatio: number;
}

function cellNumber(cell: LensCell, colour: LensColour): string {
  if (colour === 'rank') return formatCount(cell.targetRank);
  if (colour === 'entropy') return cell.entropy.toFixed(1);
  if (colour === 'kl') return formatPlain(cell.kl);
  return formatPlain(colour === 'target' ? cell.targetProb : cell.topProb);
}

/** Cells as ramp colours; neighbouring cells with one top token share a label, in ink that suits each cell. */
function drawRow(context: Pen, row: RowDrawing): void {
  const { axis, cells, colour, vocabulary, height, textOf, palette, pixelRatio, font } = row;
  const table = colourTable(palette, 'sequential');
  const edge = (k: number) => Math.round(k * axis.pitch * pixelRatio) / pixelRatio;
  const amounts = cells.map((cell) => (cell ? lensAmount(cell, colour, vocabulary) : undefined));
  amounts.forEach((amount, k) => {
    context.fillStyle = amount === undefined ? palette.sunken : cssColour(table, amount);
    context.fillRect(edge(k), 0, edge(k + 1) - edge(k), height);
  });
  context.font = font;
  context.textBaseline = 'middle';
  const ink = (k: number) => inkOn(palette, table, amounts[k] ?? 0);
  const middle = height / 2 + 0.5;
  const ids = cells.map((cell, k) => cell?.topId ?? -1 - k);
  for (const { start, end } of tokenRuns(ids)) {
    const first = cells[start];
    if (!first) continue;
    const left = edge(start);
    if (start > 0) {
      context.fillStyle = palette.bg;
      context.fillRect(left - (start === cells.length - 1 ? 2 : 0.5), 0, start === cells.length - 1 ? 3 : 1, height);
    }
    const text = displayToken(textOf(first.topId));
    if (axis.pitch >= WIDE_CELL) {
      for (let k = start; k < end; k++) {
        const cell = cells[k];
        if (!cell) continue;
        context.fillStyle = ink(k);
        const [label, number] = cellTexts(text, cellNumber(cell, colour), axis.pitch, CHARACTER);
        context.fillText(label, edge(k) + 5, middle);
        context.textAlign = 'right';
        context.fillText(number, edge(k + 1) - 5, middle);
        context.textAlign = 'left';
      }
      continue;
    }
    const label = runLabel(text, edge(end) - left - 6, CHARACTER);
    const reach = left + 4 + [...label].length * CHARACTER;
    for (let k = start; label !== '' && k < end && edge(k) < reach; k++) {
      context.save();
      context.beginPath();
      context.rect(edge(k), 0, edge(k + 1) - edge(k), height);
      context.clip();
      context.fillStyle = ink(k);
      context.fillText(label, left + 4, middle);
      context.restore();
    }
  }
}

/** One position of the lens over the layer axis. */
export const LensRowCanvas = memo(function LensRowCanvas(
  props: Omit<RowDrawing, 'palette' | 'pixelRatio' | 'font'> & { top: number },
) {
  const { axis, cells, colour, vocabulary, height, textOf, top } = props;
  const palette = usePalette();
  const pixelRatio = usePixelRatio();
  const font = useFontsReady() ? FONT : FONT_BEFORE_LOADING;
  const draw = useCallback(
    (context: Pen) => drawRow(context, { axis, cells, colour, vocabulary, height, textOf, palette, pixelRatio, font }),
    [axis, cells, colour, vocabulary, height, textOf, palette, pixelRatio, font],
  );
  return (
    <DrawnCanvas
      width={axis.width - axis.gutter}
      height={height}
      pixelRatio={pixelRatio}
      draw={draw}
      style={{ left: axis.gutter, top }}
    />
  );
});
