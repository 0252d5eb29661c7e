import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { type BySeed, type Estimate, type Resampling, seededMeans, seededRatios } from '../bootstrap';
import type { SnrExample } from '../snrBatch';
import { type AblationRequest, ablation, ablationBudget } from './ablate';
import type { AlignedSpans } from './alignment';
import { ablationAttribution, ablationAttributionBudget } from './attributionAblate';
import { knockoutAttribution, knockoutAttributionBudget } from './attributionKnockout';
import { attributionBudget, attributionPatch, type PatchAttributionRequest } from './attributionPatch';
import { type ClassColumn, sizeOf } from './columns';
import type { Component } from './components';
import { type KnockoutGrid, type KnockoutRequest, knockoutBudget, knockoutGrid } from './knockout';
import { type Patched, patchBudget, patchGrid } from './patch';
import type { PatchRequest } from './patchPlan';
import { metricOf, type Outline } from './question';

/**
 * Causal tests over many prompts. Tokens of different prompts have no places in common: columns are classes of tokens, rows layers (or windows of
 * them), and one prompt gives one number a cell. What a class brings in a prompt that has none of it is not defined.
 */
type Prompt = 'tokens' | 'target' | 'foil' | 'position' | 'spans' | 'classes' | 'candidates';
type Pair = 'clean' | 'corrupted' | 'target' | 'foil' | 'position' | 'spans' | 'classes' | 'align';

export type CausalTask =
  | ({ readonly test: 'patch' } & Omit<PatchRequest, Pair> & {
        /** Default the logit difference, of prompts without a foil the logit of the target. */
        readonly metric?: PatchAttributionRequest['metric'];
        /** Estimates of attribution patching in place of patched runs; `steps` as it has them. */
        readonly method?: 'exact' | 'attribution';
        readonly steps?: number;
      })
  | ({ readonly test: 'knockout' } & Omit<KnockoutRequest, Prompt | 'queries'> & {
        readonly queries?: 'later' | 'answer';
        /** Estimates in place of runs, which have no frozen norms. */
        readonly attribution?: boolean;
      })
  | ({ readonly test: 'ablate' } & Omit<AblationRequest, Prompt> & {
        /** Everywhere at once (default), or at the tokens of one class after the other. */
        readonly rows?: 'all' | 'class';
        /** Estimates in place of runs, which have neither frozen norms nor KL. */
        readonly attribution?: boolean;
      });

/** What every test measures in a cell. */
export const CAUSAL_MEASURES = ['change', 'change_frozen_norms', 'kl'] as const;
export type CausalMeasure = (typeof CAUSAL_MEASURES)[number];

/** A column: all tokens, or those of a class. */
export type CausalColumn = TokenClass | 'all';

/** A row of a batch: layers that are changed together, and of an ablation what of them. */
export interface CausalRow extends Pick<Component, 'mixer' | 'index'> {
  readonly layers: readonly number[];
}

/** What a test says of one prompt; null where it is not defined, so that it can travel as JSON. */
export interface CausalSample {
  readonly metric: string;
  readonly rows: readonly CausalRow[];
  /** Tokens of each column; 0 where the prompt has none. */
  readonly tokens: Readonly<Partial<Record<CausalColumn, number>>>;
  /** The measure of the unchanged runs: clean and corrupted of a patching, else that of the prompt. */
  readonly base: { readonly clean: number; readonly corrupted?: number };
  /** Of a patching, from the run that receives to the one that gives: what a change is a share of. */
  readonly gap?: number;
  /** By row; how the metric changes. Frozen norms and KL are of knock-outs and ablations, KL of ablations only. */
  readonly cells: readonly Readonly<Partial<Record<CausalColumn, CausalCell>>>[];
  /** Whether what competes was found, and whether the corrupted prompt was made. */
  readonly found: boolean;
  readonly made: boolean;
}
export type CausalCell = Readonly<Partial<Record<CausalMeasure, number | null>>>;

/** Checks what of a test can be known before it has a prompt: layers, windows, points, mixers, units. @throws InputError */
export function requireCausal(model: Outline, task: CausalTask): void {
  const prompt = { tokens: [0], target: 0 };
  switch (task.test) {
    case 'patch': {
      const { metric: _metric, method, steps, point, ...rest } = task;
      const pair = { ...rest, clean: [0], corrupted: [0], target: 0 };
      if (method === 'attribution')
        attributionBudget(model, { ...pair, points: [point], metric: 'target_logit', steps });
      else patchBudget(model, { ...pair, point });
      return;
    }
    case 'knockout':
      (task.attribution ? knockoutAttributionBudget : knockoutBudget)(model, { ...task, ...prompt });
      return;
    case 'ablate':
      (task.attribution ? ablationAttributionBudget : ablationBudget)(model, { ...task, ...prompt });
  }
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** @throws InputError where the example does not fit the test. Cost: that of one test with as many columns as there are classes. */
export function causalSample(model: Model, task: CausalTask, example: SnrExample): CausalSample {
  const said = { found: example.found ?? false, made: example.made ?? false };
  switch (task.test) {
    case 'patch':
      return { ...patchSample(model, task, example), ...said };
    case 'knockout':
      return { ...knockoutSample(model, task, example), ...said };
    case 'ablate':
      return { ...ablationSample(model, task, example), ...said };
  }
}

type Sample = Omit<CausalSample, 'found' | 'made'>;

function patchSample(model: Model, { test: _, ...task }: CausalTask & { test: 'patch' }, example: SnrExample): Sample {
  const { metric: asked, method = 'exact', steps, ...rest } = task;
  const { target, foil } = example;
  const metric = asked ?? metricOf({ target, foil });
  if (metric === 'logit_difference' && foil === undefined)
    throw new InputError('The metric logit_difference is target minus foil: give every example a foil.');
  const { clean, corrupted, align } = pairOf(example);
  const request = { ...rest, clean, corrupted, align, target, foil, classes: classesOf(example) };
  if (method === 'exact') {
    const { metrics, windows, spans, classes = [], direction } = patchGrid(model, request);
    return patchedSample({
      ...(metrics[metric] as Patched),
      metric,
      windows,
      classes,
      columns: spans.length,
      direction,
    });
  }
  const { point, mixer, channels, heads, ...attributed } = request;
  if (mixer ?? channels ?? heads)
    throw new InputError(
      'An attribution takes whole points: leave mixer, channels and heads out, or take the point mixer_1 or mixer_2.',
    );
  const found = attributionPatch(model, { ...attributed, points: [point], metric, steps });
  const { windows, spans, classes = [], direction, clean: high, corrupted: low } = found;
  const { patched } = found.points[0];
  return patchedSample({
    clean: high,
    corrupted: low,
    patched,
    metric,
    windows,
    classes,
    columns: spans.length,
    direction,
  });
}

function patchedSample({
  clean,
  corrupted,
  patched,
  metric,
  windows,
  classes,
  columns,
  direction,
}: Patched & {
  readonly metric: string;
  readonly windows: readonly (readonly number[])[];
  readonly classes: readonly ClassColumn[];
  readonly columns: number;
  readonly direction: PatchRequest['direction'];
}): Sample {
  const [from, to] = direction === 'noise' ? [clean, corrupted] : [corrupted, clean];
  return {
    metric,
    rows: windows.map((layers) => ({ layers })),
    tokens: tokensOf(classes),
    base: { clean, corrupted },
    gap: to - from,
    cells: windows.map((_, row) =>
      cellsOf(classes, (column) => ({ change: finiteOrNull(patched[row * columns + column] - from) })),
    ),
  };
}

function knockoutSample(
  model: Model,
  { test: _, ...task }: CausalTask & { test: 'knockout' },
  example: SnrExample,
): Sample {
  const { attribution, ...asked } = task;
  const request = { ...asked, ...promptOf(example), classes: classesOf(example) };
  const found: Omit<KnockoutGrid, 'frozen_norms'> & Partial<KnockoutGrid> = attribution
    ? knockoutAttribution(model, request)
    : knockoutGrid(model, request);
  const { metric, layers, classes = [], spans, base, change, frozen_norms } = found;
  const at = (row: number, column: number) => row * spans.length + column;
  return {
    metric,
    rows: layers.map((window) => ({ layers: window })),
    tokens: tokensOf(classes),
    base: { clean: base },
    cells: layers.map((_, row) =>
      cellsOf(classes, (column) => ({
        change: finiteOrNull(change[at(row, column)]),
        ...(frozen_norms && { change_frozen_norms: finiteOrNull(frozen_norms.change[at(row, column)]) }),
      })),
    ),
  };
}

function ablationSample(
  model: Model,
  { test: _, rows: asked = 'all', attribution, ...task }: CausalTask & { test: 'ablate' },
  example: SnrExample,
): Sample {
  const prompt = promptOf(example);
  const classes = asked === 'class' ? classesOf(example) : undefined;
  const request = { ...task, ...prompt, ...(classes && { classes }) };
  const found = attribution ? ablationAttribution(model, request) : ablation(model, request);
  const rows: (CausalRow & { readonly cells: Partial<Record<CausalColumn, CausalCell>> })[] = [];
  const tokens: Partial<Record<CausalColumn, number>> = classes ? {} : { all: prompt.position + 1 };
  for (const { layer, layers = [layer], mixer, index, ...run } of found.components) {
    const same = (row: CausalRow) => row.layers.join() === layers.join() && row.mixer === mixer && row.index === index;
    let row = rows.find(same);
    if (!row) {
      row = { layers, ...(mixer && { mixer }), ...(index !== undefined && { index }), cells: {} };
      rows.push(row);
    }
    row.cells[run.class ?? 'all'] = {
      change: finiteOrNull(run.change),
      ...('frozen_norms' in run && {
        change_frozen_norms: finiteOrNull(run.frozen_norms.change),
        kl: finiteOrNull(run.kl),
      }),
    };
    if (run.class && run.tokens !== undefined) tokens[run.class] = run.tokens;
  }
  return {
    metric: found.metric,
    rows: rows.map(({ cells: _cells, ...row }) => row),
    tokens,
    base: { clean: found.base.value },
    cells: rows.map(({ cells }) => cells),
  };
}

/** A value a class that the prompt has. */
const cellsOf = (classes: readonly ClassColumn[], cell: (column: number) => CausalCell) =>
  Object.fromEntries(classes.map(({ class: name }, column) => [name, cell(column)]));

const tokensOf = (classes: readonly ClassColumn[]) =>
  Object.fromEntries(classes.map(({ class: name, spans }) => [name, sizeOf(spans)]));

const classesOf = ({ needle, competing, question }: SnrExample) => ({ needle, competing, question });

const promptOf = ({ tokens, target, foil, position = tokens.length - 1 }: SnrExample) => ({
  tokens,
  target,
  foil,
  position,
});

/** Both prompts up to where they are read, which is as far from the end of both, and which tokens stand for each other. */
function pairOf({ tokens, corrupted, position = tokens.length - 1 }: SnrExample) {
  if (!corrupted) throw new InputError('Patching holds a prompt against a corrupted one: give every example one.');
  const after = tokens.length - 1 - position;
  if (corrupted.length <= after)
    throw new InputError('The corrupted prompt ends before the place that is read: make it longer.');
  const [clean, other] = [tokens.slice(0, position + 1), corrupted.slice(0, corrupted.length - after)];
  return { clean, corrupted: other, align: clean.length === other.length ? undefined : alignedAround(clean, other) };
}

/**
 * What stands for each other in prompts of different lengths: what they begin with and what they end with. Tokens between are those that
 * differ, and stand for none.
 */
export function alignedAround(clean: readonly number[], corrupted: readonly number[]): AlignedSpans[] {
  const shorter = Math.min(clean.length, corrupted.length);
  let before = 0;
  while (before < shorter && clean[before] === corrupted[before]) before++;
  let behind = 0;
  while (behind < shorter - before && clean[clean.length - 1 - behind] === corrupted[corrupted.length - 1 - behind])
    behind++;
  const spans: AlignedSpans[] = before > 0 ? [{ clean: [0, before], corrupted: [0, before] }] : [];
  if (behind === 0) return spans;
  const ends = (length: number) => [length - behind, length] as const;
  return [...spans, { clean: ends(clean.length), corrupted: ends(corrupted.length) }];
}

/** A cell over a batch. */
export interface CausalCellSummary extends CausalRow, Readonly<Partial<Record<CausalMeasure, Estimate>>> {
  readonly class: CausalColumn;
  /** Tokens of the class, a prompt that has some. */
  readonly tokens: number;
  /** Of patching: Σ change / Σ gap, the share of the way from the run that receives to the one that gives. */
  readonly effect?: Estimate;
}

export interface CausalSummary {
  readonly metric: string;
  readonly base: Readonly<Partial<Record<'clean' | 'corrupted', Estimate>>>;
  readonly cells: readonly CausalCellSummary[];
  /** Examples of which what competes was found, and of which the corrupted prompt was made. */
  readonly found: number;
  readonly made: number;
}

const COLUMNS: readonly CausalColumn[] = ['all', ...TOKEN_CLASSES];

/**
 * Means over prompts with bootstrap intervals, of every cell that some prompt has; effects of patching are ratios of sums. All cells are of the same
 * resamples. Of several training seeds the mean over seeds and prompts, both drawn anew.
 * @param samples by seed, then by example
 * @throws InputError where the samples are not of one metric, or seeds differ in their layers
 */
export function causalSummary(
  samples: readonly (readonly CausalSample[])[],
  resampling: () => Resampling,
): CausalSummary {
  const all = samples.flat();
  const [{ metric, rows }] = all;
  const other = all.find((sample) => sample.metric !== metric);
  if (other)
    throw new InputError(
      `Some examples have a foil and are measured in ${metric === 'target_logit' ? other.metric : metric}, others have none: give all one, or none.`,
    );
  if (all.some((sample) => JSON.stringify(sample.rows) !== JSON.stringify(rows)))
    throw new InputError('Training seeds of one model must have the same layers.');
  const columns = COLUMNS.filter((name) => all.some(({ tokens }) => (tokens[name] ?? 0) > 0));
  const places = rows.flatMap((row, r) => columns.map((column) => ({ row, r, column })));
  const seriesOf = (value: (sample: CausalSample) => number | null | undefined): BySeed[number][number][] =>
    samples.map((own) => Float64Array.from(own, (sample) => value(sample) ?? Number.NaN));
  const bySeed = (each: readonly (readonly Float64Array[])[]): BySeed =>
    samples.map((_, seed) => each.map((series) => series[seed]));
  const measured = CAUSAL_MEASURES.filter((measure) =>
    all.some(({ cells }) => cells.some((row) => Object.values(row).some((cell) => cell[measure] !== undefined))),
  ).map((measure) => {
    const series = places.map(({ r, column }) => seriesOf(({ cells }) => cells[r][column]?.[measure]));
    return [measure, seededMeans(bySeed(series), resampling())] as const;
  });
  const gap = all.some((sample) => sample.gap !== undefined) ? seriesOf((sample) => sample.gap) : undefined;
  const effects =
    gap &&
    seededRatios(
      bySeed(places.map(({ r, column }) => seriesOf(({ cells }) => cells[r][column]?.change))),
      bySeed(places.map(() => gap)),
      resampling(),
    );
  const baseOf = (name: 'clean' | 'corrupted') => {
    const series = seriesOf(({ base }) => base[name]);
    return series[0].some(Number.isFinite) ? { [name]: seededMeans(bySeed([series]), resampling())[0] } : {};
  };
  return {
    metric,
    base: { ...baseOf('clean'), ...baseOf('corrupted') },
    cells: places.map(({ row, column }, k) => {
      const counts = all.map(({ tokens }) => tokens[column] ?? 0).filter((count) => count > 0);
      return {
        ...row,
        class: column,
        tokens: counts.reduce((sum, count) => sum + count, 0) / counts.length,
        ...(effects && { effect: effects[k] }),
        ...Object.fromEntries(measured.map(([measure, estimates]) => [measure, estimates[k]])),
      };
    }),
    found: all.filter(({ found }) => found).length,
    made: all.filter(({ made }) => made).length,
  };
}
