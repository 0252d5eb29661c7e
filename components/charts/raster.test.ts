import { rgb } from 'd3';
import { describe, expect, it } from 'vitest';
import { colourTable, PALETTES } from './palette';
import { aggregate, rasterise } from './raster';
import { valueScale } from './values';

const causal = (L: number, value: (i: number, j: number) => number) =>
  Float32Array.from({ length: L * L }, (_, k) => (k % L <= Math.floor(k / L) ? value(Math.floor(k / L), k % L) : 0));

describe('aggregate', () => {
  it('keeps the value of largest magnitude, with its sign', () => {
    const map = causal(8, () => 0.1);
    map[6 * 8 + 1] = -5;
    const small = aggregate(map, 8, 4);
    expect(small[3 * 4 + 0]).toBe(-5);
    expect(small[1 * 4 + 0]).toBeCloseTo(0.1);
  });

  it('loses no strong cell at sizes that do not divide L', () => {
    for (const size of [3, 5, 7, 12])
      for (const at of [0, 17, 40]) {
        const map = causal(41, () => 0);
        map[40 * 41 + at] = 2;
        expect(Math.max(...aggregate(map, 41, size).filter((v) => !Number.isNaN(v)))).toBe(2);
      }
  });

  it('marks cells without causal entries', () => {
    const small = aggregate(
      causal(6, () => 1),
      6,
      3,
    );
    expect(Number.isNaN(small[1])).toBe(true);
    expect(Number.isNaN(small[2])).toBe(true);
    expect(small[4]).toBe(1);
  });
});

describe('rasterise', () => {
  const table = colourTable(PALETTES.light, 'diverging');
  const scale = valueScale(1, true, 'linear');

  it('draws one pixel a cell when there is room, with the mask above the diagonal', () => {
    const { size, pixels } = rasterise(
      causal(3, () => 0),
      3,
      300,
      scale,
      table,
      PALETTES.light.mask,
    );
    expect(size).toBe(3);
    const at = (y: number, x: number) =>
      rgb(...(pixels.slice((y * 3 + x) * 4, (y * 3 + x) * 4 + 3) as never as [number, number, number])).formatHex();
    expect(at(0, 1)).toBe(PALETTES.light.mask);
    expect(at(1, 0)).toBe(PALETTES.light.zero);
    expect(pixels[3]).toBe(255);
  });

  it('aggregates below one pixel a cell', () => {
    expect(
      rasterise(
        causal(64, () => 1),
        64,
        20,
        scale,
        table,
        PALETTES.light.mask,
      ).size,
    ).toBe(20);
  });
});
