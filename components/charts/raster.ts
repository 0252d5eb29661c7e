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

export const sameRegion = (a: Region, b: Region): boolean =>
  a.row0 === b.row0 && a.row1 === b.row1 && a.column0 === b.column0 && a.column1 === b.column1;

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** width × height × 4 bytes. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** RGBA of every half-precision number, packed as a little-endian word. */
export type LookUp = Uint32Array<ArrayBuffer>;

const packed = (r: number, g: number, b: number) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

const MADE_MOST = 24;
const made = new Map<string, LookUp>();

/** Colours of all half-precision values of one unit on a scale; what is no value takes the mask colour. */
export function lookUp(scale: ValueScale, ramp: ColourTable, mask: string, unit: number): LookUp {
  const { limit, mode, signed, position } = scale;
  const key = [limit, mode, signed, unit, mask, ramp[0], ramp[1], ramp[2], ramp[6]].join();
  const known = made.get(key);
  if (known) return known;
  const { r, g, b } = rgb(mask);
  const colours = new Uint32Array(65536).fill(packed(r, g, b));
  const last = TABLE_SIZE - 1;
  const words = new Uint32Array(TABLE_SIZE);
  for (let k = 0; k <= last; k++) words[k] = packed(ramp[3 * k], ramp[3 * k + 1], ramp[3 * k + 2]);
  for (let bits = 0; bits < NOT_FINITE; bits++) {
    const at = Math.round(position(halfValue(bits) * unit) * last);
    colours[bits] = words[at];
    colours[bits | 0x8000] = words[signed ? last - at : 0];
  }
  if (made.size >= MADE_MOST) made.delete(made.keys().next().value ?? '');
  made.set(key, colours);
  return colours;
}

interface Level {
  readonly size: number;
  readonly bits: Uint16Array;
}

/** The cell of larger magnitude; "no value" loses against any. */
function stronger(a: number, b: number): number {
  const x = a & MAGNITUDE;
  const y = b & MAGNITUDE;
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

/** A map at full size, half, quarter, …, each level made when it is first asked for; keeps what was drawn last. */
export class Pyramid {
  readonly #levels: Level[];
  #last: { readonly key: string; readonly bits: Uint16Array } | undefined;

  constructor(map: Pick<HalfMap, 'L' | 'bits'>) {
    this.#levels = [{ size: map.L, bits: map.bits }];
  }

  level(k: number): Level {
    while (this.#levels.length <= k)
      this.#levels.push(halved(this.#levels[this.#levels.length - 1], this.#levels.length === 1));
    return this.#levels[k];
  }

  /**
   * The strongest cell of each of `width` × `height` pixels of a region; a change of colours does not ask again. With
   * `coarse` from a quarter of the cells, so that a cell may reach into a neighbouring pixel.
   */
  sample(region: Region, width: number, height: number, coarse = false): Uint16Array {
    const key = [region.row0, region.row1, region.column0, region.column1, width, height, coarse].join();
    if (this.#last?.key !== key) this.#last = { key, bits: sampled(this, region, width, height, coarse) };
    return this.#last.bits;
  }
}

function sampled(pyramid: Pyramid, region: Region, width: number, height: number, coarse: boolean): Uint16Array {
  const { row0, row1, column0, column1 } = region;
  const perPixel = Math.min((column1 - column0) / width, (row1 - row0) / height);
  const k = Math.max(0, Math.floor(Math.log2(perPixel)) - (coarse ? 0 : 1));
  const { size, bits } = pyramid.level(k);
  const [i0, i1] = parts(row0, row1, height, 2 ** k);
  const [j0, j1] = parts(column0, column1, width, 2 ** k);
  const out = new Uint16Array(width * height).fill(NO_VALUE);
  for (let y = 0; y < height; y++) {
    const top = i0[y];
    const bottom = i1[y];
    for (let x = 0; x < width && j0[x] < bottom; x++) {
      const left = j0[x];
      const right = j1[x];
      let best = NO_VALUE;
      let magnitude = -1;
      for (let i = top > left ? top : left; i < bottom; i++) {
        const end = right <= i ? right : i + 1;
        for (let at = i * size + left; at < i * size + end; at++) {
          const other = bits[at] & MAGNITUDE;
          if (other > magnitude && other < NOT_FINITE) {
            magnitude = other;
            best = bits[at];
          }
        }
      }
      out[y * width + x] = best;
    }
  }
  return out;
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
 * strong disappears. Cells above the diagonal take the look-up's colour of "no value". With `memory` the pixels last
 * until its next picture; `coarse` is four times as fast where cells are smaller than half a pixel.
 */
export function rasterise(
  pyramid: Pyramid,
  colours: LookUp,
  region: Region,
  devicePixels: { readonly width: number; readonly height: number },
  { memory, coarse }: { readonly memory?: Memory; readonly coarse?: boolean } = {},
): Raster {
  const { row0, row1, column0, column1 } = region;
  const width = Math.max(1, Math.min(column1 - column0, Math.round(devicePixels.width)));
  const height = Math.max(1, Math.min(row1 - row0, Math.round(devicePixels.height)));
  const cells = pyramid.sample(region, width, height, coarse);
  const out = memory ? memory.words(width * height) : new Uint32Array(width * height);
  for (let k = 0; k < out.length; k++) out[k] = colours[cells[k]];
  return { width, height, pixels: new Uint8ClampedArray(out.buffer, 0, 4 * out.length) };
}

/** Room for one picture after another: each is gone with the next. Fresh memory costs more than colouring it. */
export class Memory {
  #words = new Uint32Array(0);

  words(count: number): Uint32Array<ArrayBuffer> {
    if (this.#words.length < count) this.#words = new Uint32Array(count);
    return this.#words.subarray(0, count);
  }
}

/** The whole of a square map. */
export const wholeMap = (L: number): Region => ({ row0: 0, row1: L, column0: 0, column1: L });
