import type { LayerAxis } from '../charts/layerAxis';

/** Layers by tokens on the shared layer axis; in each layer's column the models stand side by side, A left. */
export interface GridLayout {
  readonly height: number;
  readonly top: number;
  readonly row: number;
  readonly rows: number;
  /** Left end and width of one model's cell in a layer. */
  readonly cell: (layer: number, model: number) => { readonly x: number; readonly width: number };
  readonly y: (row: number) => number;
  /** The cell under a point; undefined outside the layers or rows. */
  readonly at: (x: number, y: number) => { layer: number; row: number; model: number } | undefined;
}

const TOP = 20;
/** Rows shrink down to this height and scroll from there. */
const LEAST_ROW = 12;
const MOST_ROW = 18;
const COMFORTABLE = 560;

export function gridLayout(axis: LayerAxis, rows: number, models: number): GridLayout {
  const row = Math.min(MOST_ROW, Math.max(LEAST_ROW, Math.floor(COMFORTABLE / Math.max(1, rows))));
  const gap = axis.pitch >= 12 ? 1 : 0;
  const width = (axis.pitch - gap) / models;
  const left = (layer: number) => axis.x(layer) - axis.pitch / 2;
  return {
    height: TOP + rows * row,
    top: TOP,
    row,
    rows,
    cell: (layer, model) => ({
      x: left(layer) + model * width,
      width: Math.max(1, width - (gap && models > 1 ? 1 : 0)),
    }),
    y: (k) => TOP + k * row,
    at: (x, y) => {
      const k = Math.floor((y - TOP) / row);
      const layer = Math.floor((x - axis.gutter) / axis.pitch) - 1;
      if (k < 0 || k >= rows || layer < 0 || layer >= axis.layers) return undefined;
      return { layer, row: k, model: Math.min(models - 1, Math.max(0, Math.floor((x - left(layer)) / width))) };
    },
  };
}

/** A cell that there is nothing to test in. */
export const UNTESTED = 'not tested';

/** One model's values, by layer and own token; null where they are not there yet, undefined where they never will be. */
export interface GridValues {
  (layer: number, token: number): number | null | undefined | typeof UNTESTED;
  /** The own tokens [start, end) that were tested together with a token, all of which have one value; absent where each is by itself. */
  readonly spanOf?: (token: number) => readonly [number, number] | undefined;
  /** The class that a token is in, where classes were tested, whose spans are from their first to their last token. */
  readonly classOf?: (token: number) => string | undefined;
}

/** First and last token of the cell that a token is in. */
export function endsOf(values: GridValues | undefined, token: number): [number, number] {
  const [start, end] = values?.spanOf?.(token) ?? [token, token + 1];
  return [start, end - 1];
}

/** A cell as a number; nothing where there is none. */
export const numberIn = (value: ReturnType<GridValues>): number | null | undefined =>
  value === UNTESTED ? undefined : value;

export interface Ranked {
  readonly layer: number;
  /** Of tokens that were tested together, the first. */
  readonly position: number;
  readonly value: number;
}

/** Cells below this share of the largest are rounding, not findings. */
const LEAST_SHARE = 1e-4;

/** The cells of largest magnitude, first the largest. */
export function strongestCells(values: GridValues, layers: number, tokens: number, count: number): Ranked[] {
  const all: Ranked[] = [];
  for (let layer = 0; layer < layers; layer++)
    for (let position = 0; position < tokens; position++) {
      if (endsOf(values, position)[0] !== position) continue;
      const value = values(layer, position);
      if (typeof value === 'number' && Number.isFinite(value)) all.push({ layer, position, value });
    }
  all.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const least = LEAST_SHARE * Math.abs(all[0]?.value ?? 0);
  return all.slice(0, count).filter(({ value }) => Math.abs(value) >= least);
}

/** The cell one key press away; undefined for other keys. */
export function movedCell(
  cell: { readonly layer: number; readonly position: number },
  key: string,
  step: number,
  layers: number,
  rows: number,
): { layer: number; position: number } | undefined {
  let { layer, position } = cell;
  if (key === 'ArrowUp') position -= step;
  else if (key === 'ArrowDown') position += step;
  else if (key === 'ArrowLeft') layer -= 1;
  else if (key === 'ArrowRight') layer += 1;
  else if (key === 'Home') position = 0;
  else if (key === 'End') position = rows - 1;
  else return undefined;
  const into = (value: number, most: number) => Math.min(most, Math.max(0, value));
  return { layer: into(layer, layers - 1), position: into(position, rows - 1) };
}

/** A span with its end at `to`; a span that does not reach the cursor begins there. */
export function extended(span: readonly [number, number] | null, from: number, to: number): [number, number] {
  const fixed = span && (from === span[0] || from === span[1]) ? (from === span[0] ? span[1] : span[0]) : from;
  return [Math.min(fixed, to), Math.max(fixed, to)];
}

/** The row that holds the largest value of all in size, of models with so many layers; undefined where there is none. */
export function strongestRow(
  values: readonly (GridValues | undefined)[],
  models: readonly { readonly layers: number; readonly own: (row: number) => number | undefined }[],
  rows: number,
): number | undefined {
  let [found, most]: [number | undefined, number] = [undefined, 0];
  for (let row = 0; row < rows; row++)
    for (const [k, { layers, own }] of models.entries()) {
      const token = own(row);
      if (token === undefined) continue;
      for (let layer = 0; layer < layers; layer++) {
        const value = values[k]?.(layer, token);
        if (typeof value !== 'number' || !(Math.abs(value) > most)) continue;
        [found, most] = [row, Math.abs(value)];
      }
    }
  return found;
}
