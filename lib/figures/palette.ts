import { interpolateLab, interpolateRgbBasis, piecewise, rgb } from 'd3';

/** Colours that canvas code needs; the same values stand in app/globals.css as CSS variables. */
export interface Palette {
  readonly name: 'light' | 'dark';
  readonly bg: string;
  readonly sunken: string;
  readonly mask: string;
  readonly zero: string;
  readonly darkInk: string;
  readonly lightInk: string;
  readonly sequential: readonly string[];
  /** Most negative first, zero in the middle. */
  readonly diverging: readonly string[];
}

export const PALETTES: Record<'light' | 'dark', Palette> = {
  light: {
    name: 'light',
    bg: '#fcfcfb',
    sunken: '#f0f1f2',
    mask: '#e8eaed',
    zero: '#f7f7f5',
    darkInk: '#15191d',
    lightInk: '#ffffff',
    sequential: ['#f5f7f5', '#d6e9de', '#a0d2c1', '#5db1a8', '#2a868d', '#1b5a76', '#182c4f'],
    diverging: ['#5b1a6b', '#9563a8', '#d0bbdc', '#f7f7f5', '#b5dcb2', '#4f9f5c', '#0f5c2c'],
  },
  dark: {
    name: 'dark',
    bg: '#111417',
    sunken: '#1d2226',
    mask: '#090b0c',
    zero: '#1f2428',
    darkInk: '#0b0d0f',
    lightInk: '#ffffff',
    sequential: ['#1d2327', '#1c3a50', '#1c5a6c', '#2b8182', '#5aac92', '#a6d3ad', '#f4f7da'],
    diverging: ['#e6c6f6', '#a877c6', '#553a68', '#1f2428', '#2b5338', '#5aa569', '#b9efb8'],
  },
};

/** Entries of a colour table: odd, so that one entry is exactly the middle of the ramp. */
export const TABLE_SIZE = 257;

/** TABLE_SIZE × 3 bytes; entry k is the colour at k / (TABLE_SIZE − 1). */
export type ColourTable = Uint8ClampedArray;

export type RampKind = 'sequential' | 'diverging';

export function ramp(palette: Palette, kind: RampKind): (t: number) => string {
  return kind === 'sequential'
    ? interpolateRgbBasis([...palette.sequential])
    : piecewise(interpolateLab, [...palette.diverging]);
}

const tables = new Map<string, ColourTable>();

/** The ramp as a table for per-pixel look-up; built once per theme and ramp. */
export function colourTable(palette: Palette, kind: RampKind): ColourTable {
  const key = `${palette.name} ${kind}`;
  const known = tables.get(key);
  if (known) return known;
  const colour = ramp(palette, kind);
  const table = new Uint8ClampedArray(TABLE_SIZE * 3);
  for (let k = 0; k < TABLE_SIZE; k++) {
    const { r, g, b } = rgb(colour(k / (TABLE_SIZE - 1)));
    table.set([r, g, b], k * 3);
  }
  tables.set(key, table);
  return table;
}

/** The colour of a table at t ∈ [0, 1] as a CSS string. */
export function cssColour(table: ColourTable, t: number): string {
  const k = Math.round(Math.min(1, Math.max(0, t)) * (TABLE_SIZE - 1)) * 3;
  return `rgb(${table[k]} ${table[k + 1]} ${table[k + 2]})`;
}

/** The same as `#rrggbb`, which every program that reads SVG knows. */
export function hexColour(table: ColourTable, t: number): string {
  const k = Math.round(Math.min(1, Math.max(0, t)) * (TABLE_SIZE - 1)) * 3;
  return rgb(table[k], table[k + 1], table[k + 2]).formatHex();
}

/** Relative luminance (WCAG) of a colour given in bytes. */
function luminance(r: number, g: number, b: number): number {
  const linear = (byte: number) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

/** The ink, dark or light, that has more contrast on the colour at t. */
export function inkOn(palette: Palette, table: ColourTable, t: number): string {
  const k = Math.round(Math.min(1, Math.max(0, t)) * (TABLE_SIZE - 1)) * 3;
  const ground = luminance(table[k], table[k + 1], table[k + 2]);
  const against = (ink: string) => {
    const { r, g, b } = rgb(ink);
    return contrast(ground, luminance(r, g, b));
  };
  return against(palette.darkInk) >= against(palette.lightInk) ? palette.darkInk : palette.lightInk;
}
