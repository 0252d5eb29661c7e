import { line, scaleLinear, scaleLog } from 'd3';
import { bandPath } from './band';
import { curveScale, plainScale } from './scale';
import {
  COLUMN,
  drawing,
  element,
  FAINT_INK,
  LINES,
  lineKey,
  MODEL_COLOURS,
  markAt,
  shifted,
  widthOf,
  words,
} from './svg';

export interface CurvePoint {
  readonly x: number;
  readonly y: number;
  /** Its interval, where there is one. */
  readonly low?: number | null;
  readonly high?: number | null;
}

export interface Curve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  readonly colour?: string;
  readonly dashed?: boolean;
}

export interface Panel {
  readonly title?: string;
  readonly curves: readonly Curve[];
  /** In the place of the figure's. */
  readonly xLabel?: string;
}

export interface CurvesFigure {
  /** For whoever cannot see it. */
  readonly title: string;
  /** Panels of a row share their vertical axis. */
  readonly rows: readonly (readonly Panel[])[];
  readonly x: {
    readonly label: string;
    readonly log?: boolean;
    /** Where ticks stand; by default round numbers. */
    readonly ticks?: readonly number[];
    readonly format?: (value: number) => string;
  };
  readonly y: {
    readonly label: string;
    /** Whether the axis starts at 0. */
    readonly zero?: boolean;
  };
  /** Marks on the points, which many of them would hide. */
  readonly marks?: boolean;
  readonly width?: number;
}

const [LEFT, RIGHT, GAP, PLOT, BELOW, TITLE] = [36, 12, 34, 128, 36, 15];

/** Lines with bands of intervals, in panels, as an SVG file. */
export function curvesFigure({ title, rows, x, y, marks = true, width = COLUMN }: CurvesFigure): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const plot = (width - LEFT - RIGHT - (columns - 1) * GAP) / columns;
  const names = [...new Set(rows.flat().flatMap(({ curves }) => curves.map(({ name }) => name)))];
  const styles = names.map((name, place) => {
    const first = rows.flat().flatMap(({ curves }) => curves.filter((curve) => curve.name === name))[0];
    const colour = first.colour ?? MODEL_COLOURS[place % MODEL_COLOURS.length];
    return { name, place, colour, dashed: first.dashed };
  });
  const key = names.length > 1 ? lineKey(styles, width - LEFT - RIGHT, marks) : { height: 0, markup: '' };
  const unit = 17;
  const above = 6 + key.height + unit;
  const rowHeight = (row: readonly Panel[]) => (row.some((panel) => panel.title) ? TITLE : 0) + PLOT + BELOW;
  const tops = rows.map((_, r) => rows.slice(0, r).reduce((sum, row) => sum + rowHeight(row), above));
  const height = rows.reduce((sum, row) => sum + rowHeight(row), above) + 2;
  const xs = rows.flat().flatMap(({ curves }) => curves.flatMap(({ points }) => points.map((point) => point.x)));
  const across = (x.log ? scaleLog().base(2) : scaleLinear())
    .domain([Math.min(...xs), Math.max(...xs)])
    .range([0, plot]);
  const format = x.format ?? ((value: number) => String(value));
  const ticks = spaced(x.ticks ?? across.ticks(x.log ? 6 : 4), across, format);
  const panels = rows.flatMap((row, r) => {
    const values = row.flatMap(({ curves }) =>
      curves.flatMap(({ points }) => points.flatMap((point) => [point.y, point.low, point.high])),
    );
    const scale = y.zero ? curveScale(values, false, PLOT, 0) : plainScale(values, PLOT, 0);
    const top = tops[r] + (row.some((panel) => panel.title) ? TITLE : 0);
    return row.map((panel, column) => {
      const lines = scale.ticks.map((tick) =>
        shifted(
          0,
          tick.y,
          element('line', { x2: plot, stroke: LINES, 'stroke-width': tick.zero ? 1.4 : 0.8 }),
          words(-5, 3.2, tick.text, { 'text-anchor': 'end', fill: FAINT_INK }),
        ),
      );
      const below = ticks.map((tick) =>
        words(across(tick), PLOT + 13, format(tick), { 'text-anchor': 'middle', fill: FAINT_INK }),
      );
      const drawn = panel.curves.map(({ name, points }) => {
        const style = styles[names.indexOf(name)];
        const band = bandPath(
          points.map(({ low, high }) => ({ low, high })),
          (k) => across(points[k].x),
          scale.y,
        );
        const upright = { stroke: points.length === 1 ? style.colour : undefined };
        const path = line<CurvePoint>(
          (point) => across(point.x),
          (point) => scale.y(point.y),
        )([...points]);
        return [
          band === '' ? '' : element('path', { d: band, fill: style.colour, 'fill-opacity': 0.16, ...upright }),
          element('path', {
            d: path ?? '',
            fill: 'none',
            stroke: style.colour,
            'stroke-width': 1.6,
            'stroke-linejoin': 'round',
            'stroke-dasharray': style.dashed ? '4 3' : undefined,
          }),
          ...(marks ? points.map((point) => markAt(style.place, across(point.x), scale.y(point.y), style.colour)) : []),
        ].join('');
      });
      return shifted(
        LEFT + column * (plot + GAP),
        top,
        panel.title ? words(0, -7, panel.title, { 'font-weight': 600 }) : '',
        ...lines,
        ...below,
        ...drawn,
        words(plot / 2, PLOT + 26, panel.xLabel ?? x.label, { 'text-anchor': 'middle' }),
      );
    });
  });
  return drawing(
    width,
    height,
    title,
    shifted(LEFT, 12, key.markup),
    words(6, 6 + key.height + 8, y.label, { fill: FAINT_INK }),
    ...panels,
  );
}

/** Ticks whose labels do not touch. */
function spaced(ticks: readonly number[], at: (value: number) => number, format: (value: number) => string): number[] {
  const kept: number[] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const tick of ticks) {
    const half = widthOf(format(tick)) / 2;
    if (at(tick) - half < end + 3) continue;
    kept.push(tick);
    end = at(tick) + half;
  }
  return kept;
}
