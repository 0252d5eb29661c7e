import { PALETTES } from './palette';

/** Pieces of drawings as text: what a file of a figure is made of, without a page. */

/** The width of a column in print, 85 mm, in pixels. */
export const COLUMN = 321;

/** Letters of 7 points at that width, the least that is readable in print. */
export const LETTERS = 9.4;

export const INK = '#15191d';
export const FAINT_INK = '#474f57';
export const LINES = '#dfe2e5';

/** Colours of what is compared, A and B first as on the page. */
export const MODEL_COLOURS = [
  '#1458b5',
  '#b34c00',
  '#0f7a5a',
  '#8a3aa8',
  '#c2185b',
  '#5c6670',
  '#2a9fb0',
  '#b58900',
  '#7a4a21',
  '#7d8f1f',
] as const;

type Attributes = Readonly<Record<string, string | number | undefined>>;

const rounded = (value: string | number) =>
  typeof value === 'number'
    ? String(Number(value.toFixed(2)))
    : value.replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))));

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** One element; attributes that are undefined are left out, numbers have two decimals. @param inside markup */
export function element(name: string, attributes: Attributes, ...inside: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    value === undefined ? '' : ` ${key}="${escaped(rounded(value))}"`,
  );
  const start = `<${name}${written.join('')}`;
  return inside.length > 0 ? `${start}>${inside.join('')}</${name}>` : `${start}/>`;
}

/** Words at a place. */
export const words = (x: number, y: number, text: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escaped(text));

export const shifted = (x: number, y: number, ...inside: readonly string[]): string =>
  element('g', { transform: `translate(${rounded(x)},${rounded(y)})` }, ...inside);

/** About how wide words are, in pixels: letters of the common fonts are half as wide as they are high. */
export const widthOf = (text: string, size = LETTERS): number => 0.54 * size * [...text].length;

/** A whole file: on a light ground, and 85 mm wide where it is a column wide. */
export function drawing(width: number, height: number, title: string, ...parts: readonly string[]): string {
  const inMillimetres = (pixels: number) => `${rounded((85 * pixels) / COLUMN)}mm`;
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${rounded(width)} ${rounded(height)}`,
      width: inMillimetres(width),
      height: inMillimetres(height),
      'font-family': "Inter, 'Helvetica Neue', Arial, sans-serif",
      'font-size': LETTERS,
      fill: INK,
    },
    element('title', {}, escaped(title)),
    element('rect', { width: '100%', height: '100%', fill: PALETTES.light.bg }),
    ...parts,
  )}\n`;
}

/** A key of lines: names beside strokes, in as many lines as they need. @returns its height with it */
export function lineKey(
  entries: readonly {
    readonly name: string;
    readonly colour: string;
    readonly dashed?: boolean;
    readonly place: number;
  }[],
  width: number,
  marks = true,
): { readonly height: number; readonly markup: string } {
  const [stroke, gap, lineHeight] = [16, 14, 14];
  let [x, y] = [0, 0];
  const parts = entries.map(({ name, colour, dashed, place }) => {
    const own = stroke + 4 + widthOf(name);
    if (x > 0 && x + own > width) [x, y] = [0, y + lineHeight];
    const at = shifted(
      x,
      y,
      element('line', {
        x2: stroke,
        stroke: colour,
        'stroke-width': 1.6,
        'stroke-dasharray': dashed ? '4 3' : undefined,
      }),
      marks ? markAt(place, stroke / 2, 0, colour) : '',
      words(stroke + 4, 3.2, name),
    );
    x += own + gap;
    return at;
  });
  return { height: entries.length === 0 ? 0 : y + lineHeight, markup: parts.join('') };
}

/** The mark of the first, second, … of what is compared: circle and square as on the page, then others. */
export function markAt(place: number, x: number, y: number, colour: string): string {
  const r = 2.4;
  if (place % 3 === 0) return element('circle', { cx: x, cy: y, r, fill: colour });
  if (place % 3 === 1) return element('rect', { x: x - r, y: y - r, width: 2 * r, height: 2 * r, fill: colour });
  return element('path', { d: `M${x},${y - r - 0.6}l${r + 0.8},${2 * r}h${-2 * r - 1.6}z`, fill: colour });
}
