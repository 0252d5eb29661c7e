import { rgb } from 'd3';
import { type HalfMap, halfValue, MAGNITUDE, NO_VALUE, NOT_FINITE } from './half';
import { type ColourTable, TABLE_SIZE } from './palette';
import type { ValueScale } from './values';

/** A rectangle of cells: rows [row0, row1) and columns [column0, column1). */
export interface Region {
  readonly row0: number;
  readonly row1: number;
  readonly column0: number;
  readonly column1: number;
}

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** width × height × 4 bytes. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** RGBA of every half-precision number, packed as a little-endian word. */
export type LookUp = Uint32Array<ArrayBuffer>;

const packed = (r: number, g: number, b: number) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Colours of all half-precision values of one unit on a scale; what is no value takes the mask colour. */
export function lookUp(scale: ValueScale, table: ColourTable, mask: string, unit: number): LookUp {
  const { r, g, b } = rgb(mask);
  const colours = new Uint32Array(65536).fill(packed(r, g, b));
  const words = new Uint32Array(TABLE_SIZE);
  for (let k = 0; k < TABLE_SIZE; k++) words[k] = packed(table[3 * k], table[3 * k + 1], table[3 * k + 2]);
  const colourOf = (value: number) => words[Math.round(scale.position(value) * (TABLE_SIZE - 1))];
  const [most, least] = [colourOf(scale.limit), colourOf(-scale.limit)];
  for (let bits = 0; bits < NOT_FINITE; bits++) {
    const value = halfValue(bits) * unit;
    const over = value >= scale.limit;
    colours[bits] = over ? most : colourOf(value);
    colours[bits | 0x8000] = over ? least : colourOf(-value);
  }
  return colours;
}

interface Level {
  readonly size: number;
  readonly bits: Uint16Array;
}

/** The cell of larger magnitude; "no value" loses against any. */
function stronger(a: number, b: number): number {
  const [x, y] = [a & MAGNITUDE, b & MAGNITUDE];
  if (x >= NOT_FINITE) return b;
  return y < NOT_FINITE && y > x ? b : a;
}

/** Every 2 × 2 cells as one that keeps the value of largest magnitude. */
function halved({ size, bits }: Level, finest: boolean): Level {
  const next = Math.ceil(size / 2);
  const out = new Uint16Array(next * next).fill(NO_VALUE);
  for (let y = 0; y < next; y++)
    for (let x = 0; x <= y; x++) {
      let best = NO_VALUE;
      for (let i = 2 * y; i < Math.min(size, 2 * y + 2); i++)
        for (let j = 2 * x; j < 2 * x + 2 && (finest ? j <= i : j < size); j++)
          best = stronger(best, bits[i * size + j]);
      out[y * next + x] = best;
    }
  return { size: next, bits: out };
}

/** A map at full size, half, quarter, …, each level made when it is first asked for. */
export class Pyramid {
  readonly #levels: Level[];

  constructor(map: Pick<HalfMap, 'L' | 'bits'>) {
    this.#levels = [{ size: map.L, bits: map.bits }];
  }

  level(k: number): Level {
    while (this.#levels.length <= k)
      this.#levels.push(halved(this.#levels[this.#levels.length - 1], this.#levels.length === 1));
    return this.#levels[k];
  }
}

/** For each of `pixels` equal parts of [from, to): its first cell and the cell after its last, at 1 / step of the size. */
function parts(from: number, to: number, pixels: number, step: number): [Int32Array, Int32Array] {
  const first = new Int32Array(pixels);
  const end = new Int32Array(pixels);
  for (let p = 0; p < pixels; p++) {
    const low = from + Math.floor((p * (to - from)) / pixels);
    const high = Math.max(low + 1, from + Math.floor(((p + 1) * (to - from)) / pixels));
    first[p] = Math.floor(low / step);
    end[p] = Math.ceil(high / step);
  }
  return [first, end];
}

/**
 * The pixels of a region drawn `width` × `height` device pixels: one pixel a cell where cells are larger than a
 * pixel (the canvas is then enlarged without smoothing), else the strongest cell of each pixel, so that nothing
 * strong disappears. Cells above the diagonal take the look-up's colour of "no value".
 */
export function rasterise(
  pyramid: Pyramid,
  colours: LookUp,
  region: Region,
  devicePixels: { readonly width: number; readonly height: number },
): Raster {
  const { row0, row1, column0, column1 } = region;
  const width = Math.max(1, Math.min(column1 - column0, Math.round(devicePixels.width)));
  const height = Math.max(1, Math.min(row1 - row0, Math.round(devicePixels.height)));
  const perPixel = Math.min((column1 - column0) / width, (row1 - row0) / height);
  const k = Math.max(0, Math.floor(Math.log2(perPixel)) - 1);
  const { size, bits } = pyramid.level(k);
  const [i0, i1] = parts(row0, row1, height, 2 ** k);
  const [j0, j1] = parts(column0, column1, width, 2 ** k);
  const out = new Uint32Array(width * height);
  const none = colours[NO_VALUE];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [top, left] = [i0[y], j0[x]];
      if (i1[y] - top === 1 && j1[x] - left === 1) {
        out[y * width + x] = left > top ? none : colours[bits[top * size + left]];
        continue;
      }
      let best = NO_VALUE;
      for (let i = Math.max(top, left); i < i1[y]; i++)
        for (let j = left; j < j1[x] && j <= i; j++) best = stronger(best, bits[i * size + j]);
      out[y * width + x] = colours[best];
    }
  return { width, height, pixels: new Uint8ClampedArray(out.buffer) };
}

/** The whole of a square map. */
export const wholeMap = (L: number): Region => ({ row0: 0, row1: L, column0: 0, column1: L });
