import { rgb } from 'd3';
import { type ColourTable, TABLE_SIZE } from '@/lib/figures/palette';
import { halfToFloat } from '@/lib/safetensors/dtype';
import { NOT_FINITE } from './half';
import { type Pyramid, type Region, strength } from './pyramid';
import type { ValueScale } from './values';

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** width × height × 4 bytes. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** RGBA of every half-precision number, packed as a little-endian word, in the order of their strengths. */
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
    const at = Math.round(position(halfToFloat(bits) * unit) * last);
    colours[strength(bits)] = words[at];
    colours[strength(bits | 0x8000)] = words[signed ? last - at : 0];
  }
  if (made.size >= MADE_MOST) made.delete(made.keys().next().value ?? '');
  made.set(key, colours);
  return colours;
}

/**
 * The pixels of a region drawn `width` × `height` device pixels: one pixel a cell where cells are larger than a
 * pixel (the canvas is then enlarged without smoothing), else the strongest cell of each pixel, so that nothing
 * strong disappears. Cells above the diagonal take the look-up's colour of "no value". With `memory` the pixels last
 * until its next picture; `coarse` is for pictures of a moment (`Pyramid.sample`).
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
