/** What a saved page holds beside its pictures, as JSON. Token and layer numbers are the models' own. */

export interface SavedModel {
  readonly slot: string;
  readonly name: string;
  readonly tokens: readonly string[];
  /** Whether its tokens are those of the first model. */
  readonly linked: boolean;
  /** Curves by their names, one value an entry of the layer axis: embedding, layers, output. */
  readonly curves: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Numbers of a lens at one cell. */
export interface SavedLensCell {
  readonly top: readonly (readonly [token: string, probability: number])[];
  readonly target: number;
  readonly rank: number;
  readonly entropy: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A part of a picture that answers the pointer. */
export type Area = { readonly figure: string; readonly box: Box } & (
  | {
      readonly kind: 'map';
      readonly model: number;
      readonly name: string;
      /** Half-open ranges of destinations and sources that are shown. */
      readonly rows: readonly [number, number];
      readonly columns: readonly [number, number];
      readonly signed: boolean;
      /** Float32, little-endian, base64, rows × columns; null where there are too many. */
      readonly values: string | null;
    }
  | { readonly kind: 'layers' }
  | {
      readonly kind: 'lens';
      readonly model: number;
      readonly head: number;
      readonly rows: readonly number[];
      /** By row, then entry. */
      readonly cells: readonly (readonly (SavedLensCell | null)[])[];
    }
);

export interface SavedView {
  readonly title: string;
  readonly note: string;
  readonly layers: number;
  readonly models: readonly SavedModel[];
  readonly areas: readonly Area[];
}

/** Most cells of one map whose values are saved. */
export const SAVED_CELLS = 1 << 20;

/** A part of a row-major map [L, L] as base64 of little-endian float32. */
export function packCells(
  values: Float32Array,
  L: number,
  [row0, row1]: readonly [number, number],
  [column0, column1]: readonly [number, number],
): string | null {
  const [rows, columns] = [row1 - row0, column1 - column0];
  if (rows * columns > SAVED_CELLS) return null;
  const bytes = new DataView(new ArrayBuffer(4 * rows * columns));
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      bytes.setFloat32(4 * (i * columns + j), values[(row0 + i) * L + column0 + j], true);
  let text = '';
  const all = new Uint8Array(bytes.buffer);
  for (let at = 0; at < all.length; at += 0x8000) text += String.fromCharCode(...all.subarray(at, at + 0x8000));
  return btoa(text);
}
