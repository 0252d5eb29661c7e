import { scansOf } from '@/lib/architectures/places';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import type { Span } from '../span';
import { drain, type Progress } from '../steps';
import { requireSpan } from './alignment';
import { type Budget, budgetOf } from './budget';
import {
  type ClassColumn,
  type ColumnRequest,
  type Columns,
  columnsOf,
  columnsSaid,
  type TokenSet,
  windowsOf,
} from './columns';
import { type Baseline, type Batch, baselineOf, blocksToRun, inBatches, type STEP, sweep } from './continuation';
import { bothWays, FrozenNorms, frozenBlocks, frozenSize } from './frozenNorms';
import { knockoutHooks, type Reads, type RemovedRead } from './knockoutHooks';
import type { Mixer } from './points';
import {
  layersOf,
  type Metric,
  measure,
  metricOf,
  type Outline,
  type PromptQuestion,
  positionOf,
  requireQuestion,
  rowOf,
} from './question';

/** Sources are spans or classes, each knocked out by itself; default: every token. */
export interface KnockoutRequest extends PromptQuestion, ColumnRequest {
  /**
   * Who stops reading: every token after the span (default), the token at the position that is read (`answer`, the direct
   * read alone), or the tokens of a span.
   */
  readonly queries?: 'later' | 'answer' | Span;
  /**
   * What is taken out, for query i and sources j in the span, with Δ, B, C, gate and norm weights as they were computed:
   *
   * - `scan` (default): the terms α[i,j] x_j of the scan's output y_i, where α is the implicit attention. What the
   *   convolution has carried from the span into the x of the K−1 tokens after it stays;
   * - `block`: everything of the span's x0 that reaches query i through convolution, scan and D skip, the columns of the
   *   whole-block map (equations C2), σ(conv) as it was.
   */
  readonly reads?: Reads;
  /** One mixer of differential blocks; default both. */
  readonly mixer?: Mixer;
  readonly layers?: readonly number[];
  /** All layers at once instead of each by itself. */
  readonly together?: boolean;
  /** Layers that follow each other among those chosen and are knocked out together; default 1. */
  readonly window?: number;
}

/** Grids over runs and spans, [rows, spans]; NaN where a cell is not computed, or not tested. */
export interface Knockouts {
  /** The metric without the reads. */
  readonly without: Float64Array;
  /** without − base: negative where the reads spoke for the target. */
  readonly change: Float64Array;
}

export interface KnockoutGrid extends Knockouts {
  readonly metric: Metric;
  /** Rows: the layers of each run. */
  readonly layers: readonly (readonly number[])[];
  /** Columns; of classes from the first to the last token. */
  readonly spans: readonly Span[];
  readonly classes?: readonly ClassColumn[];
  /**
   * Of each column, whether somebody who stops reading could read it: nobody comes after the token that is read itself, so that
   * there is nothing to take out.
   */
  readonly tested: readonly boolean[];
  readonly position: number;
  /** The metric of the unchanged run. */
  readonly base: number;
  /** With every norm dividing as in the untouched pass. */
  readonly frozen_norms: Knockouts;
}

export interface KnockoutPlan extends Columns {
  readonly layers: readonly (readonly number[])[];
  readonly tested: readonly boolean[];
  readonly position: number;
  readonly budget: Budget;
}

/** Memory and batch of a knock-out, before it runs. @throws InputError where the request does not fit the model. */
export const knockoutBudget = (model: Outline, request: KnockoutRequest): Budget => knockoutPlan(model, request).budget;

/**
 * Knock-out of reads (after Geva et al., arXiv 2304.14767, who cut attention edges): the state of an SSM is a sum over
 * source tokens, S_i = Σ_j decay(j→i) Δ_j B_j x_j, so the part of y_i that comes from given tokens can be taken out exactly
 * by running the scan without their inputs while every decay stays.
 *
 * Spans that nobody who stops reading could read are not tested. Each other is read twice: as the model is, and with every norm dividing as in the untouched pass ({@link FrozenNorms}).
 *
 * Cost: two forward passes, then for layer l twice the blocks l … over all spans, batched, with one more scan in block l.
 * Yields after every block; stop early with `return()`.
 * @throws InputError for a layer, span, mixer or token that is not there, or too much memory.
 */
export const knockoutSteps = (
  model: Model,
  request: KnockoutRequest,
): Generator<Progress<KnockoutGrid>, KnockoutGrid, void> => chosenKnockoutSteps(model, request, () => true);

/** {@link knockoutSteps} of the cells that are chosen alone: the others stay NaN, and cost nothing. */
export function* chosenKnockoutSteps(
  model: Model,
  request: KnockoutRequest,
  chosen: (row: number, column: number) => boolean,
): Generator<Progress<KnockoutGrid>, KnockoutGrid, void> {
  const plan = knockoutPlan(model, request);
  const { layers, spans, tested, position, budget } = plan;
  const cells = layers.map((_, row) => [...tested.keys()].filter((column) => tested[column] && chosen(row, column)));
  const baseline = baselineOf(model, request.tokens, position);
  const base = measure(baseline.logits, request);
  const [plain, frozen] = [0, 1].map(() => new Float64Array(layers.length * spans.length).fill(Number.NaN));
  const against = (without: Float64Array): Knockouts => ({ without, change: without.map((value) => value - base) });
  const fixed = { metric: metricOf(request), layers, ...columnsSaid(plan), tested, position, base };
  const grid = (): KnockoutGrid => ({ ...fixed, ...against(plain), frozen_norms: against(frozen) });
  const total = layers.reduce(
    (sum, [first], row) => sum + 2 * blocksToRun(model, [first], cells[row].length, budget.rows),
    frozenBlocks(model.config, firstOf(plan, cells)),
  );
  const batches = knockoutBatches(model, request, plan, cells, baseline, (at, ...logits) => {
    [plain[at], frozen[at]] = logits.map((each) => measure(each, request));
  });
  for (const step of sweep(model, baseline, batches, total)) yield { ...step, result: grid() };
  return grid();
}

/** The first layer of which something is knocked out. */
const firstOf = ({ layers }: KnockoutPlan, cells: readonly (readonly number[])[]): number =>
  layers[
    Math.max(
      0,
      cells.findIndex(({ length }) => length > 0),
    )
  ][0];

/** {@link knockoutSteps} in one go. */
export const knockoutGrid = (model: Model, request: KnockoutRequest): KnockoutGrid =>
  drain(knockoutSteps(model, request));

function* knockoutBatches(
  model: Model,
  request: KnockoutRequest,
  plan: KnockoutPlan,
  cells: readonly (readonly number[])[],
  baseline: Baseline,
  receive: (at: number, plain: Float32Array, frozen: Float32Array) => void,
): Generator<Batch | typeof STEP, void, void> {
  const { layers, sets, position, budget } = plan;
  const norms = yield* FrozenNorms.of(model, baseline, firstOf(plan, cells));
  const how = { reads: request.reads ?? 'scan', mixer: request.mixer };
  for (const [row, group] of layers.entries())
    for (const { part } of inBatches(cells[row], budget.rows)) {
      const removed = part.map(
        (column): RemovedRead => ({
          sources: sets[column],
          queries: queriesOf(request.queries ?? 'later', sets[column], position),
        }),
      );
      const hooks = group.flatMap((layer) => knockoutHooks(model, layer, removed, how));
      yield* bothWays({ first: group[0], rows: part.length, hooks }, norms, (plain, frozen) => {
        for (const [k, column] of part.entries())
          receive(row * sets.length + column, rowOf(plain, model, k), rowOf(frozen, model, k));
      });
    }
}

/** Of a class with gaps, `later` are all tokens after its first one: those of the class itself do not read it either. */
function queriesOf(queries: NonNullable<KnockoutRequest['queries']>, sources: TokenSet, position: number): Span {
  if (queries === 'answer') return [position, position + 1];
  return queries === 'later' ? [sources[0][1], position + 1] : queries;
}

/** @throws InputError */
export function knockoutPlan(model: Outline, request: KnockoutRequest): KnockoutPlan {
  const { tokens, mixer, queries } = request;
  requireQuestion(model, request);
  const position = positionOf(request.position ?? -1, tokens.length);
  const chosen = layersOf(model, request.layers);
  for (const layer of chosen) requireMixer(model, layer, mixer);
  const columns = columnsOf(request, position + 1);
  if (typeof queries === 'object') requireSpan('prompt up to the position that is read', queries, position + 1);
  if (request.together && request.window !== undefined)
    throw new InputError('Take all layers together or a window of some, not both.');
  const scans = 3 * Math.max(...model.config.blocks.map(({ mixer: { E, N } }) => E + N));
  const budget = budgetOf(model.config, {
    L: position + 1,
    wanted: columns.sets.length,
    prompts: 1,
    extra: { fixed: frozenSize(model.config, position + 1), perRow: 2 * scans * (position + 1) },
    limit: request.memory,
  });
  const tested = columns.sets.map((sources) => {
    const [first, end] = queriesOf(queries ?? 'later', sources, position);
    return first < end && end > sources[0][0];
  });
  const layers = windowsOf(chosen, request.together ? chosen.length : request.window);
  return { layers, ...columns, tested, position, budget };
}

/** @throws InputError where a layer has no such mixer of its own. */
export function requireMixer({ config }: Outline, layer: number, mixer: Mixer | undefined): void {
  const block = config.blocks[layer];
  if (mixer === undefined || scansOf(block).some(({ name }) => name === mixer)) return;
  throw new InputError(
    `Layer ${layer} (${block.kind}) has no scan of ${mixer}: choose other layers, or leave the mixer out.`,
  );
}
