import { rgb } from 'd3';
import { type ColourTable, TABLE_SIZE } from './palette';
import type { ValueScale } from './values';

/**
 * A map [L, L] reduced to [size, size] cells, size ≤ L, keeping the value of largest magnitude in each cell, so
 * that nothing strong disappears. Cells without a causal entry (j ≤ i) are NaN.
 */
export function aggregate(map: Float32Array, L: number, size: number): Float32Array {
  const out = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const i0 = Math.floor((y * L) / size);
    const i1 = Math.max(i0 + 1, Math.floor(((y + 1) * L) / size));
    for (let x = 0; x < size; x++) {
      const j0 = Math.floor((x * L) / size);
      const j1 = Math.max(j0 + 1, Math.floor(((x + 1) * L) / size));
      let strongest = Number.NaN;
      let magnitude = -1;
      for (let i = Math.max(i0, j0); i < i1; i++)
        for (let j = j0; j < j1 && j <= i; j++) {
          const value = map[i * L + j];
          if (Math.abs(value) > magnitude) {
            magnitude = Math.abs(value);
            strongest = value;
          }
        }
      out[y * size + x] = strongest;
    }
  }
  return out;
}

export interface Raster {
  readonly size: number;
  /** size × size × 4 bytes. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/**
 * The pixels of a map drawn `devicePixels` a side: one pixel a cell where cells are larger than a pixel (the
 * canvas is then enlarged without smoothing), else aggregated. Cells above the diagonal take the mask colour.
 */
export function rasterise(
  map: Float32Array,
  L: number,
  devicePixels: number,
  scale: ValueScale,
  table: ColourTable,
  mask: string,
): Raster {
  const size = Math.max(1, Math.min(L, Math.round(devicePixels)));
  const cells = size < L ? aggregate(map, L, size) : map;
  const pixels = new Uint8ClampedArray(size * size * 4);
  const { r, g, b } = rgb(mask);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const at = (y * size + x) * 4;
      const value = cells[y * size + x];
      if (Number.isNaN(value) || (size === L && x > y)) {
        pixels[at] = r;
        pixels[at + 1] = g;
        pixels[at + 2] = b;
      } else {
        const k = Math.round(scale.position(value) * (TABLE_SIZE - 1)) * 3;
        pixels[at] = table[k];
        pixels[at + 1] = table[k + 1];
        pixels[at + 2] = table[k + 2];
      }
      pixels[at + 3] = 255;
    }
  return { size, pixels };
}
