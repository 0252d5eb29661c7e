import type { AnalysisResult } from '@/lib/api/causal';
import type { Maybe } from '@/lib/figures/numbers';
import { type PatchMetric, patchEffect } from '@/lib/vocabulary';
import { layerName } from '../charts/layerAxis';
import type { DataTable } from '../charts/table';
import { displayToken } from '../charts/tokens';
import { ownToken, type View } from '../data/view';
import type { Job } from '../state/jobs';
import { endsOf, type GridValues, numberIn, UNTESTED } from './grid';
import type { CausalSettings } from './settings';

export type ResultOf<K extends AnalysisResult['kind']> = Extract<AnalysisResult, { kind: K }>;

/** The result of a job, if it is of this kind. */
export const resultOf = <K extends AnalysisResult['kind']>(job: Job | undefined, kind: K): ResultOf<K> | undefined =>
  job?.result?.kind === kind ? (job.result as ResultOf<K>) : undefined;

type Columns = Pick<ResultOf<'patch'>, 'spans' | 'classes'>;

/** Cells of a grid: rows are layers, columns spans or classes of tokens, each of which has what its column has. */
function cellsOf(
  layers: readonly number[],
  { spans, classes }: Columns,
  rows: readonly (readonly Maybe[])[],
  tested?: readonly boolean[],
): GridValues {
  const rowOf = new Map(layers.map((layer, row) => [layer, row]));
  const columns: readonly (readonly (readonly [number, number])[])[] =
    classes?.map((each) => each.spans) ?? spans.map((span) => [span]);
  const columnOf = new Map(
    columns.flatMap((runs, column) =>
      runs.flatMap(([start, end]) =>
        Array.from({ length: end - start }, (_, k): [number, number] => [start + k, column]),
      ),
    ),
  );
  const value = (layer: number, token: number) => {
    const [row, column] = [rowOf.get(layer), columnOf.get(token)];
    if (row === undefined || column === undefined) return undefined;
    return tested?.[column] === false ? UNTESTED : (rows[row]?.[column] ?? null);
  };
  return Object.assign(value, {
    spanOf: (token: number) => spans[columnOf.get(token) ?? -1],
    classOf: (token: number) => classes?.[columnOf.get(token) ?? -1]?.class,
  });
}

/** One measure of the runs; undefined where a result does not have it. */
const measureOf = (found: ResultOf<'patch'> | undefined, measure: PatchMetric) => found?.metrics[measure];

/** The share of the way to the run that gives, by one measure. */
export function patchEffects(found: ResultOf<'patch'> | undefined, measure: PatchMetric): GridValues | undefined {
  const of = measureOf(found, measure);
  if (!found || !of) return undefined;
  const { clean, corrupted, patched } = of;
  const effect = (value: number | null) => {
    if (value === null || clean === null || corrupted === null) return null;
    const share = patchEffect(value, { clean, corrupted }, found.direction);
    return Number.isFinite(share) ? share : null;
  };
  return cellsOf(
    found.layers,
    found,
    patched.map((row) => row.map(effect)),
  );
}

export function patchedValues(found: ResultOf<'patch'> | undefined, measure: PatchMetric): GridValues | undefined {
  const of = measureOf(found, measure);
  return found && of ? cellsOf(found.layers, found, of.patched) : undefined;
}

/** Estimated effects of the first kind of point. */
export function estimatedEffects(found: ResultOf<'patch_attribution'> | undefined): GridValues | undefined {
  const own = found?.points[0];
  return found && own ? cellsOf(found.layers, found, own.effect) : undefined;
}

export function estimatedValues(found: ResultOf<'patch_attribution'> | undefined): GridValues | undefined {
  const own = found?.points[0];
  return found && own ? cellsOf(found.layers, found, own.patched) : undefined;
}

/** A cell that was estimated and computed exactly, as an effect or a change. */
export interface CheckedCell {
  readonly layer: number;
  readonly token: number;
  readonly estimated: number;
  readonly exact: number;
}

/** The cells of an estimate that were computed as well. @param shown of the measure of a run */
const checkedCells = (
  agreement: ResultOf<'knockout_attribution'>['agreement'] | undefined,
  shown: (value: number) => number,
): CheckedCell[] =>
  (agreement?.[0]?.cells ?? [])
    .map(({ layer, span: [token], estimated, exact }) => ({
      layer,
      token,
      estimated: shown(estimated ?? Number.NaN),
      exact: shown(exact ?? Number.NaN),
    }))
    .filter(({ estimated, exact }) => Number.isFinite(estimated) && Number.isFinite(exact));

/** Those of patches, as effects. */
export function checkedEffects(found: ResultOf<'patch_attribution'> | undefined): readonly CheckedCell[] {
  const { clean, corrupted, direction } = found ?? { clean: null, corrupted: null, direction: 'denoise' as const };
  if (clean === null || corrupted === null) return [];
  return checkedCells(found?.agreement, (value) => patchEffect(value, { clean, corrupted }, direction));
}

/** Those of removals, as changes. */
export const checkedChanges = (found: Removals | undefined): readonly CheckedCell[] =>
  checkedCells(found?.agreement, (value) => value - (found?.base ?? Number.NaN));

/** The checked cells of each model by `layer.token`, as grids mark them. */
export const marksOf = (checked: readonly (readonly CheckedCell[])[]): ReadonlySet<string>[] =>
  checked.map((cells) => new Set(cells.map(({ layer, token }) => `${layer}.${token}`)));

/** What is to be kept in mind with effects by one measure, each sentence once. */
export const warningsOf = (
  found: readonly (ResultOf<'patch' | 'patch_attribution'> | undefined)[],
  measure: PatchMetric,
): string[] => [
  ...new Set(
    found.flatMap((each) =>
      (each?.cautions ?? []).flatMap(({ text, metric }) => (metric === undefined || metric === measure ? [text] : [])),
    ),
  ),
];

export type Norms = CausalSettings['norms'];

/** The grids of a knock-out as the model is, or with frozen norms; null where those were not measured. */
export const knockoutsOf = (found: ResultOf<'knockout'> | undefined, norms: Norms) =>
  norms === 'frozen' ? found?.frozen_norms : found;

/** What removals of one kind change, layers by columns, exactly or estimated. */
export interface Removals extends Columns {
  /** The first layer of every row. */
  readonly layers: readonly number[];
  readonly tested?: readonly boolean[];
  readonly base: Maybe;
  readonly change: readonly (readonly Maybe[])[];
  readonly without: readonly (readonly Maybe[])[];
  /** With frozen norms, where it was measured. */
  readonly frozen: Pick<Removals, 'change' | 'without'> | undefined;
  /** Of an estimate. */
  readonly agreement?: ResultOf<'knockout_attribution'>['agreement'];
}

export const knockoutRemovals = (
  found: ResultOf<'knockout'> | ResultOf<'knockout_attribution'> | undefined,
): Removals | undefined =>
  found && {
    ...found,
    layers: found.layers.map(([layer]) => layer),
    frozen: found.kind === 'knockout' ? (found.frozen_norms ?? undefined) : undefined,
  };

/** Ablations of one part a layer, by tokens. @param classes of every token, where columns are classes */
export function ablationRemovals(
  found: ResultOf<'ablate'> | ResultOf<'ablate_attribution'> | undefined,
  classes: readonly string[],
): Removals | undefined {
  if (!found) return undefined;
  const runs: readonly (Partial<ResultOf<'ablate'>['runs'][number]> & {
    layer: number;
    value: Maybe;
    change: Maybe;
  })[] = found.runs;
  const layers = [...new Set(runs.map(({ layer }) => layer))];
  const columns = runs.filter(({ layer, span }) => layer === layers[0] && span);
  const rows = (of: (run: (typeof runs)[number]) => Maybe) =>
    layers.map((layer) => runs.filter((run) => run.layer === layer).map(of));
  return {
    layers,
    spans: columns.flatMap(({ span }) => (span ? [span] : [])),
    ...(columns.some((run) => run.class) && {
      classes: columns.flatMap(({ class: name }) => (name ? [{ class: name, spans: runsOf(classes, name) }] : [])),
    }),
    base: found.base.value,
    change: rows(({ change }) => change),
    without: rows(({ value }) => value),
    frozen:
      found.kind === 'ablate'
        ? {
            change: rows((run) => run.frozen_norms?.change ?? null),
            without: rows((run) => run.frozen_norms?.value ?? null),
          }
        : undefined,
    agreement:
      found.kind === 'ablate_attribution'
        ? found.agreement.map((each) => ({
            ...each,
            cells: each.cells.flatMap(({ span, ...cell }) => (span ? [{ ...cell, span }] : [])),
          }))
        : undefined,
  };
}

/** Where a class is, as spans. */
function runsOf(classes: readonly string[], name: string): [number, number][] {
  const runs: [number, number][] = [];
  classes.forEach((each, t) => {
    if (each !== name) return;
    const last = runs.at(-1);
    if (last?.[1] === t) last[1] = t + 1;
    else runs.push([t, t + 1]);
  });
  return runs;
}

const removalGrid = (
  found: Removals | undefined,
  norms: Norms,
  which: 'change' | 'without',
): GridValues | undefined => {
  const of = norms === 'frozen' ? found?.frozen : found;
  return found && of ? cellsOf(found.layers, found, of[which], found.tested) : undefined;
};

export const removalChanges = (found: Removals | undefined, norms: Norms) => removalGrid(found, norms, 'change');
export const removalValues = (found: Removals | undefined, norms: Norms) => removalGrid(found, norms, 'without');

/** The largest magnitude of all cells, for a shared scale; 1 where there are none. */
export function largest(view: View, values: readonly (GridValues | undefined)[]): number {
  let most = 0;
  view.models.forEach((model, k) => {
    for (let layer = 0; layer < model.layers; layer++)
      for (let token = 0; token <= model.position; token++)
        most = Math.max(most, Math.abs(numberIn(values[k]?.(layer, token)) ?? 0));
  });
  return most > 0 ? most : 1;
}

/** First and last tokens of the rows of a table: what every column tested together is one row, in the tokens of model A. */
function tableRows(columns: readonly { readonly values: readonly (GridValues | undefined)[] }[], last: number) {
  const rows: [number, number][] = [];
  for (let first = 0; first <= last; first = rows[rows.length - 1][1] + 1) {
    const ends = columns.flatMap(({ values: [a] }) => (a ? [endsOf(a, first)] : []));
    const together = ends.length > 0 && ends.every(([start]) => start === first);
    rows.push([first, together ? Math.min(last, ...ends.map(([, end]) => end)) : first]);
  }
  return rows;
}

/** A grid as a table: one line for each layer and token, or what was tested together. */
export function gridTable(
  caption: string,
  view: View,
  columns: readonly { readonly name: string; readonly values: readonly (GridValues | undefined)[] }[],
): DataTable {
  const rows: DataTable['rows'][number][] = [];
  const text = (position: number) => displayToken(view.tokens[position].text);
  const spans = tableRows(columns, view.position);
  for (let layer = 0; layer < view.layers; layer++)
    for (const [position, last] of spans)
      rows.push([
        layerName(layer, view.layers),
        position === last ? position : `${position}–${last}`,
        position === last ? text(position) : `${text(position)} … ${text(last)}`,
        ...columns.flatMap(({ values }) =>
          view.models.map((model, k) => {
            const own = ownToken(model, position);
            return (own === undefined ? undefined : values[k]?.(layer, own)) ?? null;
          }),
        ),
      ]);
  const named = columns.flatMap(({ name }) => view.models.map(({ slot }) => `${name} ${slot}`));
  return { caption, columns: ['layer', 'position', 'token', ...named], rows };
}
