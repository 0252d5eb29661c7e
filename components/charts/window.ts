import type { Region } from './pyramid';

/**
 * The part of the maps that is shown: rows (destinations) [from, to) and columns (sources) [from, to), in whole
 * tokens. All maps show the same part.
 */
export interface MapWindow {
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

export const wholeWindow = (L: number): MapWindow => ({ rows: [0, L], columns: [0, L] });

export const sameWindow = (a: MapWindow | null, b: MapWindow | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    (['rows', 'columns'] as const).every((axis) => a[axis][0] === b[axis][0] && a[axis][1] === b[axis][1]));

/** Fewer tokens than this are never shown. */
const LEAST = 4;

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** [from, from + length) moved and cut so that it lies in [0, L) and holds at least `LEAST` tokens. */
function placed(from: number, length: number, L: number): [number, number] {
  const size = clamp(Math.round(length), Math.min(LEAST, L), L);
  const start = clamp(Math.round(from), 0, L - size);
  return [start, start + size];
}

const isWhole = ({ rows, columns }: MapWindow, L: number) =>
  rows[0] === 0 && rows[1] === L && columns[0] === 0 && columns[1] === L;

/** The window, or null where it is the whole map; also cuts a window that a link brought to the map's size. */
export function fitWindow(window: MapWindow, L: number): MapWindow | null {
  const { rows, columns } = window;
  const fitted: MapWindow = {
    rows: placed(rows[0], rows[1] - rows[0], L),
    columns: placed(columns[0], columns[1] - columns[0], L),
  };
  return isWhole(fitted, L) ? null : fitted;
}

export interface CellPoint {
  readonly destination: number;
  readonly source: number;
}

/** The window that two corners span, both included. */
export function spanned(a: CellPoint, b: CellPoint, L: number): MapWindow | null {
  const span = (p: number, q: number): [number, number] => [Math.min(p, q), Math.max(p, q) + 1];
  return fitWindow({ rows: span(a.destination, b.destination), columns: span(a.source, b.source) }, L);
}

/** Zoomed by `factor` (> 1 shows less) around a point, which keeps its place. */
export function zoomedAt(window: MapWindow, factor: number, at: CellPoint, L: number): MapWindow | null {
  const axis = ([from, to]: readonly [number, number], point: number): [number, number] => {
    const length = (to - from) / factor;
    const share = (point + 0.5 - from) / (to - from);
    const start = point + 0.5 - share * length;
    return placed(start, length, L);
  };
  return fitWindow({ rows: axis(window.rows, at.destination), columns: axis(window.columns, at.source) }, L);
}

/** Moved by whole tokens, never past the map's edges. */
export function panned(window: MapWindow, rows: number, columns: number, L: number): MapWindow | null {
  const axis = ([from, to]: readonly [number, number], by: number) => placed(from + by, to - from, L);
  return fitWindow({ rows: axis(window.rows, rows), columns: axis(window.columns, columns) }, L);
}

/** Moved as little as possible so that the cell is inside. */
export function following(window: MapWindow, { destination, source }: CellPoint, L: number): MapWindow | null {
  const step = ([from, to]: readonly [number, number], k: number) => (k < from ? k - from : k >= to ? k - to + 1 : 0);
  return panned(window, step(window.rows, destination), step(window.columns, source), L);
}

/** Where the cells of a region stand in a square of `size` pixels. */
export interface MapFrame {
  readonly region: Region;
  readonly size: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Left edge of a column, top edge of a row; also outside the region. */
  readonly x: (column: number) => number;
  readonly y: (row: number) => number;
  /** The causal cell under a point, or undefined. */
  readonly at: (x: number, y: number) => CellPoint | undefined;
  /** The cell under a point, causal or not, moved into the region. */
  readonly nearest: (x: number, y: number) => CellPoint;
}

export function mapFrame(region: Region, size: number): MapFrame {
  const { row0, row1, column0, column1 } = region;
  const cellWidth = size / (column1 - column0);
  const cellHeight = size / (row1 - row0);
  const nearest = (x: number, y: number): CellPoint => ({
    destination: clamp(row0 + Math.floor(y / cellHeight), row0, row1 - 1),
    source: clamp(column0 + Math.floor(x / cellWidth), column0, column1 - 1),
  });
  return {
    region,
    size,
    cellWidth,
    cellHeight,
    x: (column) => (column - column0) * cellWidth,
    y: (row) => (row - row0) * cellHeight,
    at: (x, y) => {
      if (x < 0 || y < 0 || x >= size || y >= size) return undefined;
      const cell = nearest(x, y);
      return cell.source <= cell.destination ? cell : undefined;
    },
    nearest,
  };
}
