import { formatPlain } from '@/lib/figures/numbers';
import { type AxisLabels, axisLabels, LABEL_BASELINE, LABEL_GAP, labelText } from './axisLabels';
import { cellsTop, type MapLayout } from './mapLayout';
import { bracketPath, flagBox, MARGINAL_GAPS, readoutPath } from './mapMarks';
import type { Marginals } from './marginals';
import { bars, joined, profileCaption } from './profile';
import type { Region } from './pyramid';
import { type MapFrame, mapFrame } from './window';

/** The style's colours and fonts that maps are drawn with; the keys are the names of its custom properties. */
export const INKS = [
  'bg',
  'ink',
  'ink-2',
  'ink-3',
  'on-ink',
  'line',
  'line-strong',
  'a',
  'b',
  'bad',
  'mono',
  'font',
] as const;
export type Inks = Readonly<Record<(typeof INKS)[number], string>>;

/** One map of a figure; places in CSS pixels of the figure. */
export interface MovingMap {
  /** Corner of the cells, and their side. */
  readonly left: number;
  readonly top: number;
  readonly size: number;
  /** Whether row labels and captions stand left of it. */
  readonly labelled: boolean;
  /** Tokens as they are written, and the importance of each one's label. */
  readonly words: readonly string[];
  readonly priorities: Float32Array;
  readonly position: number;
  /** Tokens whose labels stand out. */
  readonly strong: readonly number[];
  readonly needle?: readonly [number, number];
  readonly colour: 'a' | 'b' | 'ink-2';
  readonly signed: boolean;
  /** Whether a frame warns of its reconstruction error. */
  readonly doubtful: boolean;
}

/** What the maps of a figure keep while they are zoomed or moved. */
export interface MovingFigure {
  readonly width: number;
  readonly height: number;
  readonly pixelRatio: number;
  readonly layout: Omit<MapLayout, 'maps'>;
  readonly inks: Inks;
  readonly maps: readonly MovingMap[];
}

/** What changes: the part shown, and what hover and lock mark, in the map's own tokens. */
export interface MovingView {
  readonly region: Region;
  /** The row of the profile, [L] values, and the largest magnitude of its scale. */
  readonly profile: { readonly row: number; readonly values: Float32Array; readonly peak: number };
  readonly cross: { readonly row?: number; readonly column?: number };
  /** Tokens written in full at their row and column. */
  readonly flags: { readonly row?: number; readonly column?: number };
  readonly lock?: { readonly row: number; readonly column: number };
}

export type Pen = OffscreenCanvasRenderingContext2D;

/** Room right of the cells for the read-out's mark. */
const RIGHT = 12;
/** Room left of the cells of a map without labels. */
const LEFT = 4;

/** Labels of an axis that runs down; that of the columns is turned by the caller. */
function drawLabels(pen: Pen, axis: AxisLabels, map: MovingMap, inks: Inks): void {
  const { labels, fontSize } = axis;
  pen.textAlign = 'right';
  pen.lineJoin = 'round';
  for (const { token, at, away, leader, crossed } of labels) {
    const text = labelText(axis, token, map.words[token]);
    const strong = map.strong.includes(token);
    if (leader) {
      pen.fillStyle = inks.line;
      pen.fillRect(2 - away, Math.round(at), away - 2 - LABEL_GAP, 1);
    }
    pen.font = `${strong ? 600 : 400} ${fontSize}px ${inks.mono}`;
    if (crossed) {
      pen.lineWidth = 3;
      pen.strokeStyle = inks.bg;
      pen.strokeText(text, -away, at + LABEL_BASELINE);
    }
    pen.fillStyle = inks[strong ? 'ink' : 'ink-2'];
    pen.fillText(text, -away, at + LABEL_BASELINE);
  }
}

const fill = (pen: Pen, path: string | undefined) => path && pen.fill(new Path2D(path));

function strokePath(pen: Pen, path: string | undefined): void {
  pen.lineWidth = 1;
  if (path) pen.stroke(new Path2D(path));
}

/** Runs `draw` with the origin moved, and turned a quarter to the left where asked. */
function at(pen: Pen, x: number, y: number, draw: () => void, turned = false): void {
  pen.save();
  pen.translate(x, y);
  if (turned) pen.rotate(-Math.PI / 2);
  draw();
  pen.restore();
}

function drawAxes(pen: Pen, { layout, inks }: MovingFigure, map: MovingMap, frame: MapFrame): void {
  const { narrow, lanes } = layout;
  const { size, labelled, needle, position, priorities } = map;
  const { region, cellWidth, cellHeight, x, y } = frame;
  const { row0, row1, column0, column1 } = region;
  if (labelled) {
    const down = axisLabels({ side: 'row', from: row0, to: row1, pitch: cellHeight }, priorities, lanes, narrow);
    drawLabels(pen, down, map, inks);
    pen.fillStyle = inks['ink-3'];
    pen.font = `10.5px ${inks.font}`;
    pen.fillText(narrow ? 'reads ↓' : 'destination ↓', -9, -6);
    pen.fillText(narrow ? 'from →' : 'source →', -9, size + 14);
    pen.strokeStyle = inks.ink;
    strokePath(pen, needle && bracketPath(y(needle[0]), y(needle[1] + 1), size, 'row'));
  }
  const across = axisLabels(
    { side: 'column', from: column0, to: column1, pitch: cellWidth },
    priorities,
    lanes,
    narrow,
  );
  at(pen, 0, size, () => drawLabels(pen, across, map, inks), true);
  at(pen, 0, size, () => {
    pen.strokeStyle = inks.ink;
    strokePath(pen, needle && bracketPath(x(needle[0]), x(needle[1] + 1), size, 'column'));
  });
  pen.fillStyle = inks.ink;
  fill(pen, readoutPath(y(position + 0.5), size));
}

function drawProfile(pen: Pen, { layout, inks }: MovingFigure, map: MovingMap, view: MovingView): void {
  const { size, signed, labelled } = map;
  const { column0, column1 } = view.region;
  const { row, values, peak } = view.profile;
  const { path, zero } = bars(joined(values, column0, column1, size), size, layout.profileHeight, peak, signed);
  pen.fillStyle = inks['line-strong'];
  pen.fillRect(0, Math.round(zero), size, 1);
  pen.fillStyle = inks[map.colour];
  fill(pen, path);
  if (!labelled) return;
  pen.textAlign = 'right';
  pen.font = `9.5px ${inks.font}`;
  pen.fillStyle = inks['ink-3'];
  pen.fillText((signed ? '±' : '') + formatPlain(peak), -9, 10);
  pen.fillText(`row ${row}`, -9, profileCaption(layout.profileHeight));
}

function drawMarginals(pen: Pen, figure: MovingFigure, map: MovingMap, { rows, columns }: Marginals): void {
  const { marginal, profileGap } = figure.layout;
  const thickness = marginal - MARGINAL_GAPS.bars;
  const path = (values: Float32Array, across: boolean) => {
    const shown = joined(values, 0, values.length, map.size);
    return bars(shown, map.size, thickness, Math.max(...shown), false, across).path;
  };
  pen.globalAlpha = 0.6;
  pen.fillStyle = figure.inks[map.colour];
  at(pen, 0, -profileGap - marginal, () => fill(pen, path(columns, true)));
  at(pen, map.size + MARGINAL_GAPS.right, 0, () => fill(pen, path(rows, false)));
  pen.globalAlpha = 1;
}

function drawMarks(pen: Pen, { inks }: MovingFigure, map: MovingMap, frame: MapFrame, view: MovingView): void {
  const { size, x, y } = frame;
  const [width, height] = [Math.max(frame.cellWidth, 1), Math.max(frame.cellHeight, 1)];
  const { cross, lock, flags } = view;
  pen.save();
  pen.beginPath();
  pen.rect(-2, -2, size + 4, size + 4);
  pen.clip();
  pen.strokeStyle = inks.ink;
  pen.lineWidth = 1;
  if (cross.row !== undefined) pen.strokeRect(0, Math.round(y(cross.row)) - 0.5, size, height + 1);
  if (cross.column !== undefined) pen.strokeRect(Math.round(x(cross.column)) - 0.5, 0, width + 1, size);
  pen.lineWidth = 1.5;
  const cell = (i: number, j: number) => pen.strokeRect(x(j) - 1.5, y(i) - 1.5, width + 3, height + 3);
  if (cross.row !== undefined && cross.column !== undefined && cross.column <= cross.row) cell(cross.row, cross.column);
  if (lock) cell(lock.row, lock.column);
  pen.restore();
  const flag = (token: number | undefined, side: 'row' | 'column') => {
    if (token === undefined) return;
    const text = `${token} ${map.words[token]}`;
    const box = flagBox([...text].length, side === 'row' ? y(token + 0.5) : x(token + 0.5), size, side);
    if (!box) return;
    pen.fillStyle = inks.ink;
    pen.beginPath();
    pen.roundRect(box.x, box.y, box.width, box.height, 2);
    pen.fill();
    pen.fillStyle = inks['on-ink'];
    pen.textAlign = 'left';
    pen.font = `10.5px ${inks.mono}`;
    pen.fillText(text, box.textX, box.textY);
  };
  if (map.labelled) flag(flags.row, 'row');
  flag(flags.column, 'column');
}

/**
 * Draws one map of a figure and everything around it: what React draws once the view rests.
 *
 * @param pen scaled to CSS pixels of the figure.
 * @param drawCells draws the cells; the origin is their corner.
 * @param marginals means over rows and columns where the layout has room for them.
 */
export function drawMovingMap(
  pen: Pen,
  figure: MovingFigure,
  map: MovingMap,
  view: MovingView,
  drawCells: () => void,
  marginals: () => Marginals,
): void {
  const { layout, inks } = figure;
  const { left, top, size } = map;
  const head = cellsTop(layout);
  const room = { left: map.labelled ? layout.gutter : LEFT, right: RIGHT + layout.marginal };
  const frame = mapFrame(view.region, size);
  at(pen, left, top, () => {
    pen.fillStyle = inks.bg;
    pen.fillRect(-room.left, -head, room.left + size + room.right, head + size + layout.columnLabelHeight);
    drawCells();
    if (map.doubtful) {
      pen.strokeStyle = inks.bad;
      pen.lineWidth = 1.5;
      pen.strokeRect(-1.75, -1.75, size + 3.5, size + 3.5);
    }
    drawAxes(pen, figure, map, frame);
    if (layout.marginal > 0) drawMarginals(pen, figure, map, marginals());
    at(pen, 0, -head, () => drawProfile(pen, figure, map, view));
    drawMarks(pen, figure, map, frame, view);
  });
}
