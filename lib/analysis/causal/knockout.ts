import { scansOf } from '@/lib/architectures/places';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import type { Span } from '../snr';
import { drain, type Progress } from '../steps';
import { requireSpan } from './alignment';
import { type Budget, budgetOf } from './budget';
import { type Batch, baselineOf, blocksToRun, inBatches, sweep } from './continuation';
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

export interface KnockoutRequest extends PromptQuestion {
  /** Source spans, each knocked out by itself; default: every token. */
  readonly spans?: readonly Span[];
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
}

export interface KnockoutGrid {
  readonly metric: Metric;
  /** Rows: the layers of each run. */
  readonly layers: readonly (readonly number[])[];
  readonly spans: readonly Span[];
  readonly position: number;
  /** The metric of the unchanged run. */
  readonly base: number;
  /** The metric without the reads, [rows, spans]; NaN where it is not computed yet. */
  readonly without: Float64Array;
  /** without − base, [rows, spans]: negative where the reads spoke for the target. */
  readonly change: Float64Array;
}

interface KnockoutPlan {
  readonly layers: readonly (readonly number[])[];
  readonly spans: readonly Span[];
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
 * Cost: one forward pass, then for layer l the blocks l … over all spans, batched, with one more scan in block l. Yields
 * after every block; stop early with `return()`.
 * @throws InputError for a layer, span, mixer or token that is not there, or too much memory.
 */
export function* knockoutSteps(
  model: Model,
  request: KnockoutRequest,
): Generator<Progress<KnockoutGrid>, KnockoutGrid, void> {
  const plan = knockoutPlan(model, request);
  const { layers, spans, position, budget } = plan;
  const baseline = baselineOf(model, request.tokens, position);
  const base = measure(baseline.logits, request);
  const without = new Float64Array(layers.length * spans.length).fill(Number.NaN);
  const grid = (): KnockoutGrid => ({
    ...{ metric: metricOf(request), layers, spans, position, base, without },
    change: without.map((value) => value - base),
  });
  const firsts = layers.map((group) => group[0]);
  const total = blocksToRun(model, firsts, spans.length, budget.rows);
  const batches = knockoutBatches(model, request, plan, (at, logits) => {
    without[at] = measure(logits, request);
  });
  for (const step of sweep(model, baseline, batches, total)) yield { ...step, result: grid() };
  return grid();
}

/** {@link knockoutSteps} in one go. */
export const knockoutGrid = (model: Model, request: KnockoutRequest): KnockoutGrid =>
  drain(knockoutSteps(model, request));

function* knockoutBatches(
  model: Model,
  request: KnockoutRequest,
  { layers, spans, position, budget }: KnockoutPlan,
  receive: (at: number, logits: Float32Array) => void,
): Generator<Batch, void, void> {
  const how = { reads: request.reads ?? 'scan', mixer: request.mixer };
  for (const [row, group] of layers.entries())
    for (const { start, part } of inBatches(spans, budget.rows)) {
      const removed = part.map(
        (sources): RemovedRead => ({
          sources,
          queries: queriesOf(request.queries ?? 'later', sources, position),
        }),
      );
      yield {
        first: group[0],
        rows: part.length,
        hooks: group.flatMap((layer) => knockoutHooks(model, layer, removed, how)),
        receive: (logits) => {
          for (const k of part.keys()) receive(row * spans.length + start + k, rowOf(logits, model, k));
        },
      };
    }
}

function queriesOf(queries: NonNullable<KnockoutRequest['queries']>, [, end]: Span, position: number): Span {
  if (queries === 'answer') return [position, position + 1];
  return queries === 'later' ? [end, position + 1] : queries;
}

/** @throws InputError */
function knockoutPlan(model: Outline, request: KnockoutRequest): KnockoutPlan {
  const { tokens, mixer, queries } = request;
  requireQuestion(model, request);
  const position = positionOf(request.position ?? -1, tokens.length);
  const chosen = layersOf(model, request.layers);
  for (const layer of chosen) requireMixer(model, layer, mixer);
  const spans = request.spans ?? Array.from({ length: position + 1 }, (_, t): Span => [t, t + 1]);
  for (const span of typeof queries === 'object' ? [...spans, queries] : spans)
    requireSpan('prompt up to the position that is read', span, position + 1);
  const scans = 3 * Math.max(...model.config.blocks.map(({ mixer: { E, N } }) => E + N));
  const budget = budgetOf(model.config, {
    L: position + 1,
    wanted: spans.length,
    prompts: 1,
    extra: { perRow: 2 * scans * (position + 1) },
    limit: request.memory,
  });
  return { layers: request.together ? [chosen] : chosen.map((layer) => [layer]), spans, position, budget };
}

/** @throws InputError where a layer has no such mixer of its own. */
export function requireMixer({ config }: Outline, layer: number, mixer: Mixer | undefined): void {
  const block = config.blocks[layer];
  if (mixer === undefined || scansOf(block).some(({ name }) => name === mixer)) return;
  throw new InputError(
    `Layer ${layer} (${block.kind}) has no scan of ${mixer}: choose other layers, or leave the mixer out.`,
  );
}
