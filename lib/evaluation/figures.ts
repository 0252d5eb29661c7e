import { type Curve, curvesFigure } from '@/lib/figures/curves';
import { type GridCell, gridFigure } from '@/lib/figures/grid';
import type { Estimated } from './intervals';

/** Estimates as points of a line; places without one are left out. */
export const pointsOf = (places: readonly { readonly x: number; readonly value: Estimated | null }[], scale = 1) =>
  places.flatMap(({ x, value }) =>
    value === null
      ? []
      : [
          {
            x,
            y: scale * value.mean,
            low: value.low === null ? null : scale * value.low,
            high: value.high === null ? null : scale * value.high,
          },
        ],
  );

interface LossLine {
  readonly label: string;
  readonly by_position: readonly { readonly from: number; readonly to: number; readonly loss: Estimated }[];
}

/** The loss by how many tokens a model has read. */
export function lossFigure(models: readonly LossLine[]): string {
  const curves: Curve[] = models.map(({ label, by_position }) => ({
    name: label,
    points: pointsOf(by_position.map(({ from, to, loss }) => ({ x: Math.sqrt(from * to), value: loss }))),
  }));
  return curvesFigure({
    title: 'Loss by position',
    rows: [[{ curves }]],
    x: { label: 'tokens read before', log: true, format: tokenCount },
    y: { label: 'nats a token' },
    marks: false,
  });
}

/** 4096 → `4k`. */
export const tokenCount = (count: number): string =>
  count >= 1024 && count % 1024 === 0 ? `${count / 1024}k` : String(Math.round(count));

interface RecallLines {
  readonly label: string;
  readonly conditions: readonly {
    readonly data: Readonly<Record<string, unknown>>;
    readonly accuracy: Estimated | null;
    readonly by_label: readonly { readonly label: string | null; readonly accuracy: Estimated | null }[];
  }[];
}

/** What tells conditions apart: the fields in which they differ, or all of what there is to say of the only one. */
export function conditionNames(data: readonly Readonly<Record<string, unknown>>[]): string[] {
  const fields = [...new Set(data.flatMap((one) => Object.keys(one)))];
  const differing = fields.filter((field) => new Set(data.map((one) => JSON.stringify(one[field]))).size > 1);
  if (differing.length === 0) return data.map(({ source, task }) => String(task ?? source));
  return data.map((one) =>
    differing
      .filter((field) => one[field] !== undefined)
      .map((field) => (typeof one[field] === 'string' ? String(one[field]) : `${field} ${one[field]}`))
      .join(', '),
  );
}

/** Labels of answers that are told by the gap before them. */
export const GAP = /^gap (\d+)$/;

/** Accuracy by the gap that had to be bridged, where that is what answers are told by; else by condition. */
export function recallFigure(models: readonly RecallLines[]): string {
  const [{ conditions }] = models;
  const names = conditionNames(conditions.map(({ data }) => data));
  const byGap = conditions.every(({ by_label }) => by_label.every(({ label }) => GAP.test(label ?? '')));
  if (!byGap)
    return gridFigure({
      title: 'Accuracy by condition',
      panels: [
        {
          title: 'Accuracy, %',
          cells: names.map((_, c) => models.map(({ conditions: own }) => shareCell(own[c].accuracy))),
        },
      ],
      rows: names,
      columns: models.map(({ label }) => label),
      columnLabel: '',
      ramp: 'sequential',
      note: 'Share of answers that are right.',
    });
  const gapOf = (label: string | null) => Number(GAP.exec(label ?? '')?.[1]);
  const panels = names.map((title, c) => ({
    title: names.length > 1 ? title : undefined,
    curves: models.map(({ label, conditions: own }) => ({
      name: label,
      // Octaves stand at their least gap; that of no token at all stands left of one.
      points: pointsOf(
        own[c].by_label.map(({ label: gap, accuracy }) => ({ x: Math.max(0.5, gapOf(gap)), value: accuracy })),
        100,
      ),
    })),
  }));
  return curvesFigure({
    title: 'Accuracy by gap',
    rows: inPairs(panels),
    x: { label: 'gap, tokens', log: true, format: (x) => (x < 1 ? '0' : tokenCount(x)) },
    y: { label: 'right answers, %', zero: true },
  });
}

const inPairs = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / 2) }, (_, k) => items.slice(2 * k, 2 * k + 2));

const shareCell = (share: Estimated | null): GridCell =>
  share === null ? { colour: null, text: '–' } : { colour: share.mean, text: (100 * share.mean).toFixed(1) };

interface ScoredModel {
  readonly label: string;
  readonly cells: readonly {
    readonly task: string;
    readonly length: string | number;
    readonly strict: Estimated | null;
    readonly first: Estimated | null;
  }[];
  readonly by_depth: readonly {
    readonly from: number;
    readonly to: number;
    readonly strict: Estimated | null;
    readonly first: Estimated | null;
  }[];
}

/** Both rules, as they are called in files and figures. */
export const RULES = [
  { rule: 'strict', name: 'strict rule' },
  { rule: 'first', name: 'first answer' },
] as const;
export type Rule = (typeof RULES)[number]['rule'];

const axesOf = ([{ cells }]: readonly ScoredModel[]) => ({
  rows: [...new Set(cells.map(({ task }) => task))],
  lengths: [...new Set(cells.map(({ length }) => length))],
});

const lengthName = (length: string | number) => (typeof length === 'number' ? tokenCount(length) : length);

/** Accuracy by task and length, a table a model. */
export function scoreFigure(models: readonly ScoredModel[], { rule, name }: (typeof RULES)[number]): string {
  const { rows, lengths } = axesOf(models);
  return gridFigure({
    title: `Accuracy by task and length, ${name}`,
    panels: models.map(({ label, cells }) => ({
      title: `${label}, ${name}, %`,
      cells: rows.map((task) =>
        lengths.map((length) =>
          shareCell(cells.find((cell) => cell.task === task && cell.length === length)?.[rule] ?? null),
        ),
      ),
    })),
    rows,
    columns: lengths.map(lengthName),
    columnLabel: 'tokens of the context',
    ramp: 'sequential',
    note: '',
  });
}

export interface RatioCell {
  readonly task: string;
  readonly length: string | number;
  /** B / A; null where one of them is never right. */
  readonly ratio: Estimated | null;
}

/** How many times as often the second model is right as the first; the paper's Fig. 4 has the larger by the smaller, and leaves to colours which is which. */
export function ratioFigure(
  labels: readonly [string, string],
  cells: readonly RatioCell[],
  { name }: (typeof RULES)[number],
): string {
  const rows = [...new Set(cells.map(({ task }) => task))];
  const lengths = [...new Set(cells.map(({ length }) => length))];
  // Four times as often is the end of the scale, on either side.
  const colourOf = (ratio: number) => Math.min(1, Math.max(0, 0.5 + Math.log(ratio) / Math.log(16)));
  return gridFigure({
    title: `Ratio of accuracies, ${name}`,
    panels: [
      {
        title: `${labels[1]} against ${labels[0]}, ${name}`,
        cells: rows.map((task) =>
          lengths.map((length): GridCell => {
            const ratio = cells.find((cell) => cell.task === task && cell.length === length)?.ratio ?? null;
            if (ratio === null || ratio.mean <= 0) return { colour: null, text: '–' };
            const { mean, low, high } = ratio;
            return {
              colour: colourOf(mean),
              text: `${mean.toFixed(2)}×`,
              // An end that is open is beyond every number.
              strong: (low ?? 0) > 1 || (high ?? Number.POSITIVE_INFINITY) < 1,
            };
          }),
        ),
      },
    ],
    rows,
    columns: lengths.map(lengthName),
    columnLabel: 'tokens of the context',
    ramp: 'diverging',
    note: `Above 1, green: ${labels[1]} is right more often. Framed: the 95 % interval leaves 1 out. A dash: one of them is never right.`,
  });
}

/** Accuracy by where the last deciding fact stands. */
export function depthFigure(models: readonly ScoredModel[]): string {
  return curvesFigure({
    title: 'Accuracy by depth',
    rows: [
      RULES.map(({ rule, name }) => ({
        title: name,
        curves: models.map(({ label, by_depth }) => ({
          name: label,
          points: pointsOf(
            by_depth.map((bin) => ({ x: 50 * (bin.from + bin.to), value: bin[rule] })),
            100,
          ),
        })),
      })),
    ],
    x: { label: 'depth of the last fact, %' },
    y: { label: 'right, %', zero: true },
  });
}

interface CostShapes {
  readonly label: string;
  readonly shapes: readonly {
    readonly batch: number;
    readonly length: number;
    readonly forward_seconds: number;
    readonly new_tokens_per_second: number;
  }[];
}

/** The time of a forward pass by length, or the rate of writing by batch; a panel for each of the other, at most four. */
export function costFigure(models: readonly CostShapes[], what: 'forward' | 'throughput'): string {
  const [across, by] = what === 'forward' ? (['length', 'batch'] as const) : (['batch', 'length'] as const);
  const panels = [...new Set(models[0].shapes.map((shape) => shape[by]))].slice(0, 4).map((value) => ({
    title: `${by} ${tokenCount(value)}`,
    curves: models.map(({ label, shapes }) => ({
      name: label,
      points: shapes
        .filter((shape) => shape[by] === value)
        .map((shape) => ({
          x: shape[across],
          y: what === 'forward' ? shape.forward_seconds : shape.new_tokens_per_second,
        })),
    })),
  }));
  return curvesFigure({
    title: what === 'forward' ? 'Time of a forward pass' : 'Throughput',
    rows: inPairs(panels),
    x: {
      label: what === 'forward' ? 'tokens of a row' : 'rows of a batch',
      log: true,
      ticks: [...new Set(models[0].shapes.map((shape) => shape[across]))],
      format: tokenCount,
    },
    y: { label: what === 'forward' ? 'seconds' : 'new tokens a second', zero: true },
  });
}
