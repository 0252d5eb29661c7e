import { describe, expect, it } from 'vitest';
import { curvesFigure } from './curves';
import { gridFigure } from './grid';
import { COLUMN, LETTERS, widthOf } from './svg';

const attributes = (svg: string, element: string) =>
  [...svg.matchAll(new RegExp(`<${element} ([^>]*)>`, 'g'))].map(([, text]) =>
    Object.fromEntries([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value])),
  );
const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);

const curve = (name: string, values: readonly number[]) => ({
  name,
  points: values.map((y, k) => ({ x: 2 ** k, y, low: y - 1, high: y + 1 })),
});

describe('drawings', () => {
  it('are a column wide, 85 mm, on a light ground, with letters of seven points', () => {
    const svg = curvesFigure({
      title: 'T',
      rows: [[{ curves: [curve('a', [3, 2])] }]],
      x: { label: 'x', log: true },
      y: { label: 'y' },
    });
    const [root] = attributes(svg, 'svg');
    expect(root.width).toBe('85mm');
    const points = (LETTERS * (85 / COLUMN) * 72) / 25.4;
    expect(points).toBeGreaterThanOrEqual(7);
    expect(attributes(svg, 'rect')[0].fill).toBe('#fcfcfb');
    expect(svg).toContain('<title>T</title>');
  });

  it('draw each curve in the colour of its name, with its band, and name all where there are several', () => {
    const rows = [[{ title: 'one', curves: [curve('a & b', [4, 5, 6]), { ...curve('c', [1, 2, 3]), dashed: true }] }]];
    const svg = curvesFigure({
      title: 'T',
      rows,
      x: { label: 'rows', log: true },
      y: { label: 'seconds', zero: true },
    });
    const paths = attributes(svg, 'path');
    expect(paths.filter((path) => path['fill-opacity'] === '0.16').map(({ fill }) => fill)).toEqual([
      '#1458b5',
      '#b34c00',
    ]);
    const lines = paths.filter(({ fill }) => fill === 'none');
    expect(lines.map(({ stroke }) => stroke)).toEqual(['#1458b5', '#b34c00']);
    expect(lines[1]['stroke-dasharray']).toBe('4 3');
    for (const text of ['one', 'a &amp; b', 'c', 'rows', 'seconds', '0', '1', '2', '4'])
      expect(texts(svg)).toContain(text);
    // The first curve is above the second: y grows downwards.
    const height = (d: string) => Number(/^M[^,]+,([\d.]+)/.exec(d)?.[1]);
    expect(height(lines[0].d)).toBeLessThan(height(lines[1].d));
  });

  it('leave out ticks whose labels would touch', () => {
    const ticks = Array.from({ length: 40 }, (_, k) => 1000 + k);
    const svg = curvesFigure({
      title: 'T',
      rows: [[{ curves: [{ name: 'a', points: ticks.map((x) => ({ x, y: x })) }] }]],
      x: { label: 'x', ticks },
      y: { label: 'y' },
    });
    const kept = attributes(svg, 'text').filter((one) => one['text-anchor'] === 'middle' && one.y === '141');
    const places = kept.map(({ x }) => Number(x));
    expect(places.length).toBeGreaterThan(5);
    for (const [k, x] of places.slice(1).entries()) expect(x - places[k]).toBeGreaterThan(widthOf('1000'));
  });

  it('colour cells by their values, and frame the strong ones', () => {
    const cell = (colour: number | null, text: string, strong = false) => ({ colour, text, strong });
    const svg = gridFigure({
      title: 'T',
      panels: [
        {
          title: 'A',
          cells: [
            [cell(0, '0.0'), cell(1, '100.0', true)],
            [cell(0.5, '50.0'), cell(null, '–')],
          ],
        },
      ],
      rows: ['qa1', 'qa2'],
      columns: ['1k', '2k'],
      columnLabel: 'tokens',
      ramp: 'sequential',
      note: '',
    });
    const cells = attributes(svg, 'rect').slice(1);
    const [least, most, middle, unknown] = cells.map(({ fill }) => Number.parseInt(fill.slice(1), 16));
    expect(least).toBeGreaterThan(middle);
    expect(middle).toBeGreaterThan(most);
    expect(unknown).toBe(0xf0f1f2);
    expect(cells.map(({ stroke }) => stroke)).toEqual([undefined, '#15191d', undefined, undefined]);
    for (const text of ['A', 'qa1', 'qa2', '1k', '2k', 'tokens', '100.0', '–']) expect(texts(svg)).toContain(text);
    expect(texts(svg)).not.toContain('');
  });
});
