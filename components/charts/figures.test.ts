import { describe, expect, it } from 'vitest';
import { colourTable, cssColour, PALETTES } from '@/lib/figures/palette';
import { curveScale } from '@/lib/figures/scale';
import { type AxisLabels, axisLabels, labelText } from './axisLabels';
import { type Metric, segments } from './curve';
import { labelPriorities, placeLineLabels } from './labels';
import { axisTicks, type LayerAxis, layerAxis, layerTick } from './layerAxis';
import { caretPath, legendMarks, RAMP_HEIGHT, RAMP_MARGIN, RAMP_WIDTH } from './legend';
import { cellsTop, type MapLayoutInput, mapLayout } from './mapLayout';
import { marginals } from './marginals';
import { bars, joined } from './profile';
import { displayToken } from './tokens';
import { valueScale } from './values';
import { mapFrame } from './window';

/**
 * Whole figures from pure geometry, without React or a browser, compared with the drawings in `snapshots/`: open them
 * to see what changed; `npx vitest run components/charts -u` accepts it.
 */
const round = (text: string) => text.replace(/-?\d+\.\d+/g, (number) => String(Number(Number(number).toFixed(2)) || 0));

type Attributes = Record<string, string | number>;

const tag = (name: string, attributes: Attributes, inside = '') => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${round(String(value))}"`);
  return inside ? `<${name}${written.join('')}>${inside}</${name}>` : `<${name}${written.join('')}/>`;
};
const text = (x: number, y: number, words: string, more: Attributes = {}) =>
  tag('text', { x, y, ...more }, words.replace(/&/g, '&amp;').replace(/</g, '&lt;'));
const line = (x1: number, y1: number, x2: number, y2: number) =>
  tag('path', { d: `M${x1},${y1}L${x2},${y2}`, stroke: '#999' });

function drawing(title: string, width: number, height: number, parts: readonly string[]): string {
  const head = { xmlns: 'http://www.w3.org/2000/svg', width, height, 'font-family': 'monospace', 'font-size': 10 };
  return `${tag('svg', head, `\n${tag('title', {}, title)}\n${parts.flat().join('\n')}\n`)}\n`;
}

const COLOURS = ['#1458b5', '#b34c00'];

function axisParts(axis: LayerAxis, layer: number, y: number): string[] {
  return axisTicks(axis, layer, false).map((tick) =>
    text(axis.x(tick), y, layerTick(tick, axis), {
      'text-anchor': 'middle',
      ...(tick === layer && { 'font-weight': 'bold' }),
    }),
  );
}

function curve(axis: LayerAxis, lines: readonly (readonly (number | null)[])[], log: boolean): string {
  const height = 196;
  const scale = curveScale(lines.flat(), log, height - 8, 10);
  const points = lines.map((values) =>
    segments(values).map((run) => run.map(({ layer, value }) => ({ x: axis.x(layer), y: scale.y(value) }))),
  );
  const names = ['A  demo', 'B  differential'];
  const plot = { left: axis.gutter + 4, right: axis.width - 4, top: 0, bottom: height };
  const places = placeLineLabels(
    points.map((runs) => runs.flat()),
    names.map((name) => name.length * 7.2),
    plot,
  );
  return drawing('Signal curve', axis.width, height + 24, [
    ...scale.ticks.map(({ y, text: label, exponent }) =>
      [
        line(axis.gutter, y, axis.width, y),
        text(axis.gutter - 8, y, label + (exponent ?? ''), { 'text-anchor': 'end' }),
      ].join(''),
    ),
    ...points.map((runs, k) =>
      tag('path', {
        d: runs.map((run) => `M${run.map(({ x, y }) => `${x},${y}`).join('L')}`).join(''),
        fill: 'none',
        stroke: COLOURS[k],
      }),
    ),
    ...places.map((place, k) => (place ? text(place.x, place.y, names[k], { fill: COLOURS[k] }) : '')),
    ...axisParts(axis, 12, height + 14),
  ]);
}

const wave = (layers: number, from: number, to: number) =>
  Array.from({ length: layers + 2 }, (_, k) => {
    const t = 1 / (1 + Math.exp((0.55 * layers - k) * (12 / layers)));
    return 10 ** (from + (to - from) * t);
  });

const CURVES: Record<Metric, (axis: LayerAxis) => string> = {
  p: (axis) =>
    curve(
      axis,
      [wave(48, -9, -1), [...wave(48, -7, -0.05).slice(0, 20), null, ...wave(48, -7, -0.05).slice(21)]],
      true,
    ),
  margin: (axis) => curve(axis, [wave(48, -1, 0.4).map((v) => v - 6), wave(48, -1, 1).map((v) => v - 4)], false),
  snr: (axis) => curve(axis, [wave(48, -1, 0.2), wave(48, -1, 0.7)], false),
  needle_against_context: (axis) => curve(axis, [[], wave(48, -3, -0.2)], false),
  target_log_odds: (axis) =>
    curve(axis, [wave(48, -1, 1).map((v) => v - 9), wave(48, -1, 1.2).map((v) => v - 8)], false),
};

describe('the signal curve', () => {
  for (const metric of Object.keys(CURVES) as Metric[])
    it(`of ${metric} looks as it did`, async () => {
      await expect(CURVES[metric](layerAxis(1088, 48, false))).toMatchFileSnapshot(`snapshots/curve-${metric}.svg`);
    });

  it('on a narrow screen looks as it did', async () => {
    await expect(CURVES.p(layerAxis(366, 48, true))).toMatchFileSnapshot('snapshots/curve-narrow.svg');
  });
});

describe('the layer axis', () => {
  it('looks as it did for few and many layers, wide and narrow', async () => {
    const rows = [6, 24, 48].flatMap((layers) => [layerAxis(1088, layers, false), layerAxis(366, layers, true)]);
    const parts = rows.flatMap((axis, row) => [
      ...axisParts(axis, 3, 14 + row * 20),
      line(axis.gutter, 18 + row * 20, axis.width, 18 + row * 20),
    ]);
    await expect(drawing('Layer axes', 1088, rows.length * 20, parts)).toMatchFileSnapshot('snapshots/layer-axis.svg');
  });
});

const WORDS = 'Mary went to the garden . John sat in the hallway . Where is Mary ? Answer :'.split(' ');
const tokensOf = (L: number) =>
  Array.from({ length: L }, (_, k) => ({
    text: `${k ? ' ' : ''}${WORDS[k % WORDS.length]}`,
    start: k * 10,
    end: k * 10 + 5,
  }));

/** Rows that fall off towards older tokens, with one strong read; signed. */
const valuesOf = (L: number) =>
  Float32Array.from({ length: L * L }, (_, k) => {
    const [i, j] = [Math.floor(k / L), k % L];
    return j > i ? 0 : j === 4 && i === L - 1 ? -0.9 : 1 / (1 + i - j);
  });

function maps(lengths: readonly number[], input: Partial<MapLayoutInput> & { width: number }): string {
  const layout = mapLayout({
    lengths,
    narrow: false,
    devicePixelRatio: 1,
    ownLabels: false,
    headHeights: [],
    ...input,
  });
  const parts = lengths.flatMap((L, k) => {
    const { left, top, size } = layout.maps[k];
    const [tokens, values] = [tokensOf(L), valuesOf(L)];
    const priorities = labelPriorities(tokens, { position: L - 1, needle: [0, 4], target: ' garden' });
    const frame = mapFrame({ row0: 0, row1: L, column0: 0, column1: L }, size);
    const y = top + cellsTop(layout);
    const sides = (['row', 'column'] as const).map((side) =>
      axisLabels({ side, from: 0, to: L, pitch: frame.cellWidth }, priorities, layout.lanes, layout.narrow),
    );
    const labelled = layout.narrow || input.ownLabels || left === layout.maps[0].left;
    const word = (token: number, axis: AxisLabels) => labelText(axis, token, displayToken(tokens[token].text));
    const row = joined(values.subarray((L - 1) * L), 0, L, size);
    const { rows, columns } = marginals(values, L, frame.region);
    const profile = bars(row, size, layout.profileHeight, 1, true);
    const means = layout.marginal - 3;
    return [
      tag('rect', { x: left, y, width: size, height: size, fill: 'none', stroke: COLOURS[k % 2] }),
      tag('path', { transform: `translate(${left},${top})`, d: profile.path, fill: COLOURS[k % 2] }),
      ...(layout.marginal > 0
        ? [
            tag('path', {
              transform: `translate(${left},${y - layout.profileGap - layout.marginal})`,
              d: bars(joined(columns, 0, L, size), size, means, Math.max(...columns), false).path,
            }),
            tag('path', {
              transform: `translate(${left + size + 10},${y})`,
              d: bars(joined(rows, 0, L, size), size, means, Math.max(...rows), false, false).path,
            }),
          ]
        : []),
      ...(labelled ? sides[0].labels : []).map(({ token, at, away }) =>
        text(left - away, y + at + 3.2, word(token, sides[0]), {
          'text-anchor': 'end',
          'font-size': sides[0].fontSize,
        }),
      ),
      ...sides[1].labels.map(({ token, at, away }) =>
        tag(
          'g',
          { transform: `translate(${left + at + 3.2},${y + size + away}) rotate(-90)` },
          text(0, 0, word(token, sides[1]), { 'text-anchor': 'end', 'font-size': sides[1].fontSize }),
        ),
      ),
    ];
  });
  return drawing('Maps', input.width, layout.height, parts);
}

describe('the large maps', () => {
  const cases: [string, readonly number[], Partial<MapLayoutInput> & { width: number }][] = [
    ['one lane of labels', [30, 30], { width: 1088 }],
    ['two staggered lanes', [52, 52], { width: 1088 }],
    ['thinned labels and means', [300, 300], { width: 1088, marginals: true }],
    ['label columns of their own', [30, 36], { width: 1088, ownLabels: true }],
    ['one above the other', [52, 52], { width: 366, narrow: true, devicePixelRatio: 2, headHeights: [54, 124] }],
    ['four branches', [30, 30, 30, 30], { width: 1088, columns: 4, headHeights: [26, 26, 26, 26] }],
  ];
  for (const [name, lengths, input] of cases)
    it(`with ${name} look as they did`, async () => {
      await expect(maps(lengths, input)).toMatchFileSnapshot(`snapshots/maps-${name.replaceAll(' ', '-')}.svg`);
    });
});

describe('the legend', () => {
  it('looks as it did on every scale', async () => {
    const rows = [true, false].flatMap((signed) =>
      (['linear', 'log', 'row'] as const).map((mode) => ({ scale: valueScale(0.74, signed, mode), signed })),
    );
    const parts = rows.flatMap(({ scale, signed }, row) => {
      const { ticks, arrows } = legendMarks(scale, row % 2 === 0);
      const table = colourTable(PALETTES.light, signed ? 'diverging' : 'sequential');
      const steps = Array.from({ length: 11 }, (_, k) =>
        tag('rect', {
          x: RAMP_MARGIN + (k * RAMP_WIDTH) / 11,
          width: RAMP_WIDTH / 11,
          height: RAMP_HEIGHT,
          fill: cssColour(table, k / 10),
        }),
      );
      const marks = ticks.map(({ x, text: label }) => text(x, 25, label, { 'text-anchor': 'middle' }));
      const carets = (['A', 'B'] as const).map((slot, k) =>
        tag('path', { d: caretPath(scale, k ? 0.2 : -0.1, slot), fill: COLOURS[k] }),
      );
      const paths = [...arrows.map((d) => tag('path', { d })), ...carets];
      return tag('g', { transform: `translate(0,${8 + row * 40})` }, [...steps, ...marks, ...paths].join(''));
    });
    await expect(drawing('Legends', RAMP_WIDTH + 2 * RAMP_MARGIN, rows.length * 40, parts)).toMatchFileSnapshot(
      'snapshots/legend.svg',
    );
  });
});
