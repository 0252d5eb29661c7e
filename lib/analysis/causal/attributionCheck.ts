import type { Model } from '@/lib/models';
import { correlation, rankCorrelation } from '../correlation';
import type { Span } from '../span';
import { drain, type Progress, type Steps, through } from '../steps';
import {
  attributionPatchSteps,
  hasPoint,
  type PatchAttribution,
  type PatchAttributionRequest,
} from './attributionPatch';
import { placeOf } from './components';
import { type Patched, patchSteps } from './patch';
import type { PatchRequest } from './patchPlan';
import { MIXERS } from './points';

/** The measure as estimated, and as it is. */
export interface Compared {
  readonly estimated: number;
  readonly exact: number;
}

/** A cell of a grid that was computed exactly as well, in the measure's own unit. */
export interface CheckedCell extends Compared {
  /** The first of its row. */
  readonly layer: number;
  readonly span: Span;
}

/** How far the estimates of one kind of point agree with exact runs, over the cells that were checked. */
export interface Agreement<Cell extends Compared = CheckedCell> {
  readonly point: string;
  readonly cells: readonly Cell[];
  /** Spearman's and Pearson's, of the changes; NaN with fewer than three cells, or where one side is all the same. */
  readonly rank_correlation: number;
  readonly correlation: number;
}

export interface CheckedAttribution extends PatchAttribution {
  /** Of every kind of point of which cells have been patched. */
  readonly agreement: readonly Agreement[];
}

/**
 * Attribution patching, and exact patching of the strongest `check` cells of every kind of point, the largest |change| first.
 * Cost: that of both; of the exact part the blocks l … once for every cell of layer l.
 */
export function* checkedAttributionSteps(
  model: Model,
  request: PatchAttributionRequest,
  check: number,
): Generator<Progress<CheckedAttribution>, CheckedAttribution, void> {
  let blocks = 0;
  const found = yield* through(attributionPatchSteps(model, request), ({ done, total, result }) => {
    blocks = total;
    return { done, total: total + checksOf(result, check), result: { ...result, agreement: [] } };
  });
  const agreement: Agreement[] = [];
  let done = blocks;
  const total = blocks + found.points.reduce((sum, _, k) => sum + chosenOf(found, k, check).length, 0);
  for (const [k, { point }] of found.points.entries()) {
    const cells: CheckedCell[] = [];
    for (const [row, columns] of byRow(chosenOf(found, k, check), found)) {
      const spans = columns.map((column) => found.spans[column]);
      const layers = found.windows[row].filter((layer) => hasPoint(model, layer, point));
      const steps = patchSteps(model, exactRequest(model, request, { point, layers, spans }));
      const before = done;
      const exact = yield* through(steps, (step) => ({
        done: before + Math.floor((columns.length * step.done) / (step.total + 1)),
        total,
        result: { ...found, agreement: [...agreement] },
      }));
      done += columns.length;
      const of = exact.metrics[found.metric] as Patched;
      spans.forEach((span, c) => {
        const estimated = found.points[k].patched[row * found.spans.length + columns[c]];
        // Classes are patched all at once.
        const patched = of.patched[request.classes ? columns[c] : c];
        cells.push({ layer: found.layers[row], span, estimated, exact: patched });
      });
    }
    if (cells.length > 0) agreement.push(agreementOf(point, cells, startOf(found)));
  }
  return { ...found, agreement };
}

/** {@link checkedAttributionSteps} in one go. */
export const checkedAttribution = (model: Model, request: PatchAttributionRequest, check: number): CheckedAttribution =>
  drain(checkedAttributionSteps(model, request, check));

/** The measure of the run that receives. */
const startOf = ({ direction, clean, corrupted }: PatchAttribution) => (direction === 'denoise' ? corrupted : clean);

/** @param start the measure of the run that changes are from */
export function agreementOf<Cell extends Compared>(
  point: string,
  cells: readonly Cell[],
  start: number,
): Agreement<Cell> {
  const estimated = Float64Array.from(cells, (cell) => cell.estimated - start);
  const exact = Float64Array.from(cells, (cell) => cell.exact - start);
  return {
    point,
    cells,
    rank_correlation: rankCorrelation(estimated, exact),
    correlation: correlation(estimated, exact),
  };
}

/** Indices of the values farthest from `start`, at most `check`. */
export function strongestOf(values: Float64Array, start: number, check: number): number[] {
  const change = (at: number) => Math.abs(values[at] - start);
  return [...values.keys()]
    .filter((at) => Number.isFinite(values[at]))
    .sort((a, b) => change(b) - change(a) || a - b)
    .slice(0, check);
}

/** Steps of an estimate, which `cells` exact runs will follow. */
export const beforeChecks =
  (cells: number) =>
  <R>({ done, total, result }: Progress<R>): Progress<R> => ({ done, total: total + cells, result });

/** Steps of these runs, a cell at a time, behind `before` steps of the estimate. */
export const duringChecks =
  <R>(before: number, cells: number, result: R) =>
  ({ done, total }: Steps): Progress<R> => ({
    done: before + Math.floor((cells * done) / total),
    total: before + cells,
    result,
  });

/** Indices of the strongest cells of the k-th kind of point. */
const chosenOf = (found: PatchAttribution, k: number, check: number): number[] =>
  strongestOf(found.points[k].patched, startOf(found), check);

/** How many cells will be patched; known before any estimate is. */
const checksOf = ({ points, layers, spans }: PatchAttribution, check: number): number =>
  points.reduce(
    (sum, { layers: having }) => sum + Math.min(check, layers.filter((l) => having.includes(l)).length * spans.length),
    0,
  );

/** Columns by row, in their order. */
function byRow(cells: readonly number[], { spans }: PatchAttribution): [number, number[]][] {
  const columns = new Map<number, number[]>();
  for (const at of cells) {
    const row = Math.floor(at / spans.length);
    columns.set(row, [...(columns.get(row) ?? []), at % spans.length]);
  }
  return [...columns].sort(([a], [b]) => a - b);
}

/** The exact test of some cells of one row. */
function exactRequest(
  model: Model,
  { points: _points, metric: _metric, steps: _steps, ...request }: PatchAttributionRequest,
  {
    point,
    layers,
    spans,
  }: { readonly point: string; readonly layers: readonly number[]; readonly spans: readonly Span[] },
): PatchRequest {
  const mixer = MIXERS.find((each) => each === point);
  const common = { ...request, layers, window: layers.length, ...(!request.classes && { spans }) };
  if (!mixer) return { ...common, point };
  const [layer] = layers;
  const { name, channels } = placeOf(model, { layer, unit: 'mixer', mixer });
  return { ...common, point: name.slice(`blocks.${layer}.`.length), channels };
}
