import { readFileSync } from 'node:fs';
import { lab, rgb } from 'd3';
import { describe, expect, it } from 'vitest';
import { colourTable, inkOn, PALETTES, TABLE_SIZE } from './palette';

const themes = [PALETTES.light, PALETTES.dark];
const css = readFileSync(new URL('../../app/globals.css', import.meta.url), 'utf8');
const colourAt = (table: Uint8ClampedArray, k: number) => rgb(table[k * 3], table[k * 3 + 1], table[k * 3 + 2]);

describe.each(themes)('$name palette', (palette) => {
  it('has zero exactly in the middle of the signed ramp', () => {
    const table = colourTable(palette, 'diverging');
    expect(colourAt(table, (TABLE_SIZE - 1) / 2).formatHex()).toBe(palette.zero);
  });

  it('is about as light at −v as at +v', () => {
    const table = colourTable(palette, 'diverging');
    for (let k = 0; k < TABLE_SIZE; k++)
      expect(Math.abs(lab(colourAt(table, k)).l - lab(colourAt(table, TABLE_SIZE - 1 - k)).l)).toBeLessThan(14);
  });

  it('has a magnitude ramp of monotone lightness that starts near the page', () => {
    const table = colourTable(palette, 'sequential');
    const lightness = Array.from({ length: TABLE_SIZE }, (_, k) => lab(colourAt(table, k)).l);
    const direction = Math.sign(lightness[TABLE_SIZE - 1] - lightness[0]);
    for (let k = 1; k < TABLE_SIZE; k++) expect((lightness[k] - lightness[k - 1]) * direction).toBeGreaterThan(-0.4);
    expect(Math.abs(lightness[0] - lab(palette.bg).l)).toBeLessThan(8);
  });

  it('keeps the mask apart from every colour of both ramps', () => {
    const mask = lab(palette.mask);
    for (const kind of ['sequential', 'diverging'] as const) {
      const table = colourTable(palette, kind);
      for (let k = 0; k < TABLE_SIZE; k++) {
        const c = lab(colourAt(table, k));
        expect(Math.hypot(c.l - mask.l, c.a - mask.a, c.b - mask.b)).toBeGreaterThan(2.5);
      }
    }
  });

  it('gives labels readable ink everywhere on the magnitude ramp', () => {
    const table = colourTable(palette, 'sequential');
    const luminance = (hex: string) => {
      const { r, g, b } = rgb(hex);
      const [x, y, z] = [r, g, b].map((v) =>
        v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    for (let k = 0; k < TABLE_SIZE; k++) {
      const [a, b] = [
        luminance(colourAt(table, k).formatHex()),
        luminance(inkOn(palette, table, k / (TABLE_SIZE - 1))),
      ];
      expect((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)).toBeGreaterThan(4);
    }
  });

  it('agrees with the style sheet', () => {
    const block = palette.name === 'light' ? css.split("[data-theme='dark']")[0] : css.split("[data-theme='dark']")[1];
    for (const [name, value] of [
      ['bg', palette.bg],
      ['sunken', palette.sunken],
      ['mask', palette.mask],
      ['zero', palette.zero],
    ])
      expect(block).toMatch(new RegExp(`--${name}:\\s*${value};`));
  });
});
