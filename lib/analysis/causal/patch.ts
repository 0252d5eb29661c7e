import { rowStatistics } from '@/kernels/reference/lens-statistics';
import type { Model } from '@/lib/models';
import { PATCH_METRICS, type PatchDirection, type PatchMetric, patchEffect } from '@/lib/vocabulary';
import type { Span } from '../span';
import { drain, type Progress, type Steps } from '../steps';
import type { Budget } from './budget';
import { type ClassColumn, columnsSaid, firstsOf } from './columns';
import { type Batch, baselineOf, blocksToRun, inBatches, sweep } from './continuation';
import { patchHooks } from './patchHooks';
import { memorySweep } from './patchMemory';
import { type PatchInputs, type PatchRequest, patchPlan, rolesOf } from './patchPlan';
import { type PatchWarning, patchWarnings } from './patchWarnings';
import { type Metric, measure, metricOf, type Outline, type Question, rowOf } from './question';

export interface PatchGrid {
  readonly direction: PatchDirection;
  readonly metric: Metric;
  /** The first layer of every row. */
  readonly layers: readonly number[];
  /** All layers of every row, which are patched together. */
  readonly windows: readonly (readonly number[])[];
  /** Columns, in tokens of the prompt that receives; of classes from the first to the last token. */
  readonly spans: readonly Span[];
  readonly classes?: readonly ClassColumn[];
  readonly position: number;
  /** `metric` without a patch. */
  readonly clean: number;
  readonly corrupted: number;
  /** `metric` with the patch, [layers, spans]; NaN where it is not computed yet. */
  readonly patched: Float64Array;
  /** {@link patchEffect} of `metric`, [layers, spans]. */
  readonly effect: Float64Array;
  /** Every measure of the same runs; those with a foil only where there is one. */
  readonly metrics: Readonly<Partial<Record<PatchMetric, Patched>>>;
  /** Why effects may not mean what they seem to. */
  readonly cautions: readonly PatchWarning[];
}

/** One measure of the two runs and of all patched ones. */
export interface Patched {
  readonly clean: number;
  readonly corrupted: number;
  /** [layers, spans] */
  readonly patched: Float64Array;
}

/** Memory and batch of a patching run, before it runs. @throws InputError where the request does not fit the model. */
export const patchBudget = (model: Outline, request: PatchRequest): Budget => patchPlan(model, request).budget;

/**
 * Activation and state patching (method: Meng et al., arXiv 2202.05262; measures: Heimersheim & Nanda, arXiv 2404.15255): the
 * corrupted prompt is run once per layer and span, with one thing taken from the clean run, and the answer is measured in every
 * way; with `noise` the clean prompt with one thing from the corrupted run.
 *
 * Cost: two forward passes, then for layer l the blocks l … over all spans, batched; what comes before the patched block is
 * never run again. `hook_h` runs the patched block once for each prompt token by token. `ssm` and `conv` go span by span with all layers in one batch, over the tokens after the span only.
 * Yields after every block; stop early with `return()`.
 * @throws InputError for prompts that are not aligned, a layer, span, point or token that is not there, or too much memory.
 */
export function* patchSteps(model: Model, request: PatchRequest): Generator<Progress<PatchGrid>, PatchGrid, void> {
  const plan = patchPlan(model, request);
  const { direction, windows, spans, position } = plan;
  const roles = rolesOf(request);
  const source = baselineOf(model, roles.source.tokens, plan.sourcePosition);
  const receiver = baselineOf(model, roles.receiver.tokens, position);
  const [clean, corrupted] = direction === 'denoise' ? [source, receiver] : [receiver, source];
  const of = (logits: Float32Array) => measuresOf(logits, clean.logits, request);
  const [high, low] = [of(clean.logits), of(corrupted.logits)];
  const names = PATCH_METRICS.filter((name) => high[name] !== undefined);
  const metrics = Object.fromEntries(
    names.map((name) => [
      name,
      {
        clean: high[name],
        corrupted: low[name],
        patched: new Float64Array(windows.length * spans.length).fill(Number.NaN),
      },
    ]),
  ) as Record<PatchMetric, Patched>;
  const receive = (row: number, column: number, logits: Float32Array) => {
    const values = of(logits);
    for (const name of names) metrics[name].patched[row * spans.length + column] = values[name] as number;
  };
  const metric = metricOf(request);
  const layers = firstsOf(windows);
  const columns = columnsSaid(plan);
  const fixed = { direction, metric, layers, windows, ...columns, position, ...metrics[metric], metrics };
  const cautions = patchWarnings(request, plan, metrics);
  const grid = (): PatchGrid => ({ ...fixed, effect: effectsOf(metrics[metric], direction), cautions });

  const inputs = { ...plan, source, receiver, receive };
  const remembered = request.point === 'ssm' || request.point === 'conv';
  const steps = remembered ? memorySweep(model, request, inputs) : blockSweep(model, request, inputs);
  for (const step of steps) yield { ...step, result: grid() };
  return grid();
}

/** {@link patchSteps} in one go. */
export const patchGrid = (model: Model, request: PatchRequest): PatchGrid => drain(patchSteps(model, request));

/** {@link patchEffect} of every cell. */
export const effectsOf = (of: Patched, direction: PatchDirection): Float64Array =>
  of.patched.map((value) => patchEffect(value, of, direction));

/** @param clean logits [V] of the clean run */
function measuresOf(logits: Float32Array, clean: Float32Array, { target, foil }: Question): Measures {
  const { target_logprob, target_rank, margin, kl_final_lens } = rowStatistics(logits, target, clean);
  return {
    logit_difference: foil === undefined ? undefined : measure(logits, { target, foil }),
    target_logit: logits[target],
    margin,
    target_prob: Math.exp(target_logprob),
    target_logprob,
    target_rank,
    kl: kl_final_lens,
  };
}

type Measures = Readonly<Record<PatchMetric, number | undefined>>;

/** Layer by layer, as many spans at a time as the budget allows. */
function blockSweep(model: Model, request: PatchRequest, inputs: PatchInputs): Generator<Steps, void, void> {
  const { windows, spans, budget, receiver } = inputs;
  const total = blocksToRun(model, firstsOf(windows), spans.length, budget.rows);
  return sweep(model, receiver, patchBatches(model, request, inputs), total);
}

function* patchBatches(model: Model, request: PatchRequest, inputs: PatchInputs): Generator<Batch, void, void> {
  const { windows, sets, budget, receive } = inputs;
  // A layer is in as many windows as they are long, one after the other.
  const known = new Map<number, ReturnType<typeof patchHooks>>();
  for (const [row, window] of windows.entries()) {
    for (const layer of known.keys()) if (layer < window[0]) known.delete(layer);
    for (const layer of window) if (!known.has(layer)) known.set(layer, patchHooks(model, request, inputs, layer));
    for (const { start, part } of inBatches(sets, budget.rows))
      yield {
        first: window[0],
        rows: part.length,
        hooks: [...known.values()].flatMap((hooksOf) => hooksOf(part)),
        receive: (logits) => {
          for (const k of part.keys()) receive(row, start + k, rowOf(logits, model, k));
        },
      };
  }
}
