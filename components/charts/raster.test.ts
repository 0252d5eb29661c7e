import { rgb } from 'd3';
import { describe, expect, it } from 'vitest';
import { colourTable, PALETTES } from '@/lib/figures/palette';
import { NO_VALUE, toHalf } from './half';
import { Pyramid, type Region, strength, wholeMap } from './pyramid';
import { lookUp, Memory, type Raster, rasterise } from './raster';
import { valueScale } from './values';

const table = colourTable(PALETTES.light, 'diverging');
const mask = PALETTES.light.mask;

const causal = (L: number, value: (i: number, j: number) => number) =>
  Float32Array.from({ length: L * L }, (_, k) => (k % L <= Math.floor(k / L) ? value(Math.floor(k / L), k % L) : 0));

function draw(
  map: Float32Array,
  L: number,
  pixels: number,
  region: Region = wholeMap(L),
  limit = 1,
  memory?: Memory,
): Raster {
  const half = toHalf(map, L);
  const colours = lookUp(valueScale(limit, true, 'linear'), table, mask, half.unit);
  return rasterise(new Pyramid(half), colours, region, { width: pixels, height: pixels }, { memory });
}

const at = ({ pixels, width }: Raster, y: number, x: number) => {
  const [r, g, b] = pixels.slice((y * width + x) * 4);
  return rgb(r, g, b).formatHex();
};
const colourOf = (t: number) => {
  const [r, g, b] = table.slice(Math.round(t * 256) * 3);
  return rgb(r, g, b).formatHex();
};

describe('rasterise', () => {
  it('draws one pixel a cell when there is room, with the mask above the diagonal', () => {
    const raster = draw(
      causal(3, (i) => (i === 2 ? -0.5 : 0)),
      3,
      300,
    );
    expect([raster.width, raster.height]).toEqual([3, 3]);
    expect(at(raster, 0, 1)).toBe(mask);
    expect(at(raster, 1, 0)).toBe(PALETTES.light.zero);
    expect(at(raster, 2, 1)).toBe(colourOf(0.25));
    expect(raster.pixels[3]).toBe(255);
  });

  it('keeps the value of largest magnitude below one pixel a cell, with its sign', () => {
    const map = causal(8, () => 0.1);
    map[6 * 8 + 1] = -1;
    const raster = draw(map, 8, 4);
    expect(raster.width).toBe(4);
    expect(at(raster, 3, 0)).toBe(colourOf(0));
    expect(at(raster, 1, 0)).toBe(colourOf(0.55));
    expect(at(raster, 0, 3)).toBe(mask);
  });

  it('loses no strong cell at sizes that do not divide L, at any level of the pyramid', () => {
    for (const size of [3, 5, 7, 12, 20])
      for (const place of [0, 17, 40, 90]) {
        const map = causal(101, () => 0);
        map[100 * 101 + place] = 1;
        const raster = draw(map, 101, size);
        const seen = Array.from({ length: size }, (_, x) => at(raster, size - 1, x));
        expect(seen).toContain(colourOf(1));
      }
  });

  it('draws a region as that part of the whole', () => {
    const map = causal(20, (i, j) => (i - j) / 20);
    const region = { row0: 10, row1: 16, column0: 3, column1: 12 };
    const raster = draw(map, 20, 100, region);
    const whole = draw(map, 20, 100);
    expect([raster.width, raster.height]).toEqual([9, 6]);
    for (let y = 0; y < 6; y++) for (let x = 0; x < 9; x++) expect(at(raster, y, x)).toBe(at(whole, y + 10, x + 3));
  });
});

describe('a coarse picture', () => {
  const L = 101;
  const pyramid = new Pyramid(
    toHalf(
      causal(L, (i, j) => Math.sin(i * 7 + j * 3) / (1 + i - j)),
      L,
    ),
  );

  it('is the same where cells are larger than half a pixel', () => {
    for (const size of [51, 60, 101])
      expect(pyramid.sample(wholeMap(L), size, size, true)).toEqual(pyramid.sample(wholeMap(L), size, size));
  });

  it('is another where they are smaller, and no pixel of it is weaker', () => {
    for (const size of [7, 20, 45]) {
      const coarse = pyramid.sample(wholeMap(L), size, size, true);
      const exact = pyramid.sample(wholeMap(L), size, size);
      expect(coarse).not.toEqual(exact);
      expect(exact.every((strongest, k) => coarse[k] >= strongest)).toBe(true);
    }
  });
});

describe('the strength of a half-precision number', () => {
  it('grows with the magnitude; no value is weaker than any', () => {
    const ordered = [Number.NaN, 0, 2 ** -20, 0.1, -0.1, 0.5, -3, 4];
    const L = ordered.length;
    const { bits } = toHalf(
      causal(L, (_, j) => ordered[j]),
      L,
    );
    const strengths = [...bits.subarray(-L)].map(strength);
    expect(strengths).toEqual([...strengths].sort((a, b) => a - b));
    expect(strengths[0]).toBeLessThan(strength(0));
    expect(new Set(strengths).size).toBe(L);
    expect(strength(NO_VALUE)).toBeLessThan(strength(0));
  });

  it('is one of 65536, and has its own colour', () => {
    expect(new Set(Array.from({ length: 65536 }, (_, bits) => strength(bits))).size).toBe(65536);
  });
});

describe('memory of pictures', () => {
  it('holds one after another, larger and smaller, without a trace of the last', () => {
    const memory = new Memory();
    for (const L of [7, 40, 12]) {
      const map = causal(L, (i, j) => Math.sin(i + 3 * j) + L / 50);
      const { width, pixels } = draw(map, L, 300, wholeMap(L), 1, memory);
      expect(width).toBe(L);
      expect(pixels).toEqual(draw(map, L, 300).pixels);
    }
    const [first, second] = [1, -1].map(
      (v) =>
        draw(
          causal(5, () => v),
          5,
          300,
          wholeMap(5),
          1,
          memory,
        ).pixels.buffer,
    );
    expect(first).toBe(second);
  });
});

describe('lookUp', () => {
  it('saturates at both ends and is exact in the middle', () => {
    const map = causal(3, (i, j) => [0, 7, -7][i === 2 ? j : 0]);
    const raster = draw(map, 3, 9, wholeMap(3), 2);
    expect(at(raster, 2, 0)).toBe(colourOf(0.5));
    expect(at(raster, 2, 1)).toBe(colourOf(1));
    expect(at(raster, 2, 2)).toBe(colourOf(0));
  });
});
