import type { AllocationResult, LayerAllocation, MeasuredValue } from '@/lib/api/allocation';
import { type CurveScale, curveScale } from '@/lib/figures/scale';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { type LayerAxis, layerName } from './layerAxis';
import type { DataTable } from './table';

type Slot = 'A' | 'B';

/** Geometry and tables of the allocation: pure, in pixels of the layer axis. */

export const MEASURES = ['norm_share', 'projection_share', 'alti_share', 'logit'] as const;
export type Measure = (typeof MEASURES)[number];

export const PARTS = ['net', 'branch_1', 'lambda_branch_2'] as const;
export type Part = (typeof PARTS)[number];

export interface MeasureInfo {
  readonly label: string;
  readonly title: string;
  readonly signed: boolean;
  readonly definition: string;
}

export const MEASURE_INFO: Readonly<Record<Measure, MeasureInfo>> = {
  norm_share: {
    label: 'norm',
    title: 'share of norms',
    signed: false,
    definition: 'Share of norms of what tokens bring to the residual stream: parts do not add up to the output.',
  },
  projection_share: {
    label: 'projection',
    title: 'share of output',
    signed: true,
    definition: 'Share of the output that tokens bring along its own direction: signed, 1 over all classes.',
  },
  alti_share: {
    label: 'ALTI',
    title: 'share of nearness',
    signed: false,
    definition: 'Share of nearness to the output (ALTI): how much farther from the output the rest would be.',
  },
  logit: {
    label: 'logit',
    title: 'logits',
    signed: true,
    definition:
      'What tokens bring to the target’s logit against the foil’s, the final norm held fixed: signed, in logits.',
  },
};

export const PART_NAMES: Readonly<Record<Part, string>> = {
  net: 'net',
  branch_1: 'branch 1',
  lambda_branch_2: 'λ·branch 2',
};

/** From the bottom of a stack: what the story says, then what every model has to read. */
export const STACKED = [
  'needle',
  'competing',
  'first',
  'filler',
  'question',
  'self',
] as const satisfies readonly TokenClass[];

/** What a part of a block reads; a plain block has one part, which is all of it. */
export const readOf = (layer: LayerAllocation, part: Part) =>
  layer.differential ? (layer[part] ?? layer.net) : layer.net;

export interface Piece {
  readonly tokenClass: TokenClass;
  /** Lower and upper value. */
  readonly from: number;
  readonly to: number;
}

/** Classes one on another: what is positive above zero, what is negative below; a class without a value has no piece. */
export function stacked(values: Readonly<Record<TokenClass, MeasuredValue>>): Piece[] {
  const ends = { above: 0, below: 0 };
  return STACKED.flatMap((tokenClass): Piece[] => {
    const value = values[tokenClass]?.mean ?? 0;
    if (value === 0) return [];
    const side = value > 0 ? 'above' : 'below';
    const start = ends[side];
    ends[side] += value;
    return [{ tokenClass, from: Math.min(start, ends[side]), to: Math.max(start, ends[side]) }];
  });
}

/** Layers of one model; undefined while they are not there. */
export interface Found {
  readonly slot: Slot;
  readonly layers: readonly LayerAllocation[] | undefined;
}

export interface Rectangle {
  readonly slot: Slot;
  readonly layer: number;
  readonly tokenClass: TokenClass;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const WIDEST = 56;
const GAP = 3;

/** Left end and width of one model's bar in a layer's column; the models stand side by side in the middle of it. */
export function barPlace(
  axis: LayerAxis,
  layer: number,
  model: number,
  models: number,
): readonly [x: number, width: number] {
  const room = Math.min(axis.pitch * 0.84, models * WIDEST);
  const gap = room / models > 4 * GAP ? GAP : 0;
  const width = Math.max(1, (room - gap * (models - 1)) / models);
  return [axis.x(layer) - room / 2 + model * (width + gap), width];
}

/** The value axis: shares of magnitude from 0 to 1, signed measures as far as stacks reach. */
export function stackScale(
  found: readonly Found[],
  measure: Measure,
  part: Part,
  [bottom, top]: readonly [bottom: number, top: number],
): CurveScale {
  const ends = MEASURE_INFO[measure].signed
    ? found.flatMap(({ layers = [] }) =>
        layers.flatMap((layer) => stacked(readOf(layer, part)[measure]).flatMap(({ from, to }) => [from, to])),
      )
    : [0, 1];
  return curveScale(ends, false, bottom, top, 4);
}

/** Every piece of every bar. */
export const rectangles = (
  found: readonly Found[],
  measure: Measure,
  part: Part,
  axis: LayerAxis,
  scale: CurveScale,
): Rectangle[] =>
  found.flatMap(({ slot, layers = [] }, model) =>
    layers.flatMap((one) => {
      const [x, width] = barPlace(axis, one.layer, model, found.length);
      return stacked(readOf(one, part)[measure]).map(({ tokenClass, from, to }): Rectangle => {
        const y = scale.y(to);
        return { slot, layer: one.layer, tokenClass, x, y, width, height: scale.y(from) - y };
      });
    }),
  );

/** The piece at a place of the figure. */
export const pieceAt = (pieces: readonly Rectangle[], x: number, y: number): Rectangle | undefined =>
  pieces.find((piece) => x >= piece.x && x < piece.x + piece.width && y >= piece.y && y < piece.y + piece.height);

/** `needle_against_context` by column of the layer axis (embedding, blocks, output); absent where it is not defined. */
export function headline(
  layers: readonly LayerAllocation[] | undefined,
  part: Part,
  depth: number,
): (MeasuredValue | undefined)[] {
  const values = new Array<MeasuredValue | undefined>(depth + 2).fill(undefined);
  for (const one of layers ?? []) values[one.layer + 1] = readOf(one, part).needle_against_context ?? undefined;
  return values;
}

/** What the headline would be if every token were read alike: needle tokens over context tokens. */
export const chanceOf = (layers: readonly LayerAllocation[] | undefined): number | undefined =>
  layers?.find(({ chance }) => chance !== null)?.chance ?? undefined;

export type Paired = NonNullable<AllocationResult['paired']>[number]['layers'][number]['needle_against_context'];

/**
 * The paired difference of the headline in one layer, second model of the page minus first, whichever way the batch has them.
 * It is that of whole blocks.
 */
export function pairedAt(
  result: AllocationResult | undefined,
  names: readonly string[],
  layer: number,
): Paired | undefined {
  for (const { models, layers } of result?.paired ?? []) {
    const [a, b] = [names.indexOf(models[0]), names.indexOf(models[1])];
    const found = layers.find((one) => one.layer === layer)?.needle_against_context;
    if (a < 0 || b < 0 || !found) continue;
    return a < b ? found : { mean: -found.mean, low: -found.high, high: -found.low, p: found.p };
  }
  return undefined;
}

/** All layers: tokens and shares of the classes, the headline with its chance, and what subtraction does to each class. */
export function allocationTable(found: readonly Found[], measure: Measure, part: Part, depth: number): DataTable {
  const { title } = MEASURE_INFO[measure];
  const withIntervals = found.some(({ layers = [] }) =>
    layers.some((one) => one.net.needle_against_context?.low !== undefined),
  );
  const ends = (value: MeasuredValue) => [
    value?.mean ?? null,
    ...(withIntervals ? [value?.low ?? null, value?.high ?? null] : []),
  ];
  const named = (name: string) => [name, ...(withIntervals ? [`${name}, low`, `${name}, high`] : [])];
  const differential = found.some(({ layers = [] }) => layers.some((one) => one.differential));
  const columns = [
    'layer',
    ...named('needle / context'),
    'chance',
    ...STACKED.flatMap((name) => [`${name} tokens`, ...named(`${name}, ${title}`)]),
    ...(differential ? STACKED.flatMap((name) => [`${name} removed`, `${name} cosine`, `${name} rejection, dB`]) : []),
  ];
  const rows = found.flatMap(({ slot, layers = [] }) =>
    layers.map((one) => {
      const read = readOf(one, part);
      return [
        `${slot} ${layerName(one.layer, depth)}`,
        ...ends(read.needle_against_context),
        one.chance,
        ...STACKED.flatMap((name) => [one.tokens[name], ...ends(read[measure][name])]),
        ...(differential
          ? STACKED.flatMap((name) =>
              [one.removed, one.cosine, one.rejection_db].map((values) => values?.[name]?.mean ?? null),
            )
          : []),
      ];
    }),
  );
  return { caption: `Allocation by layer, ${title}, ${PART_NAMES[part]}`, columns, rows };
}

/** Consecutive tokens of a class, as [start, end). */
export function runsOf(classes: readonly TokenClass[], wanted: TokenClass): (readonly [number, number])[] {
  const runs: (readonly [number, number])[] = [];
  for (let start = classes.indexOf(wanted); start >= 0; start = classes.indexOf(wanted, runs[runs.length - 1][1])) {
    let end = start;
    while (classes[end] === wanted) end++;
    runs.push([start, end]);
  }
  return runs;
}

/** How many tokens each class has. */
export const countsOf = (classes: readonly TokenClass[]): Readonly<Record<TokenClass, number>> =>
  Object.fromEntries(TOKEN_CLASSES.map((name) => [name, classes.filter((each) => each === name).length])) as Record<
    TokenClass,
    number
  >;
