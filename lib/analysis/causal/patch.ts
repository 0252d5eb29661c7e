import type { Model } from '@/lib/models';
import type { Span } from '../snr';
import { drain, type Progress, type Steps } from '../steps';
import type { Budget } from './budget';
import { type Batch, baselineOf, blocksToRun, inBatches, sweep } from './continuation';
import { patchHooks } from './patchHooks';
import { memorySweep } from './patchMemory';
import { type PatchInputs, type PatchRequest, patchPlan } from './patchPlan';
import { type Metric, measure, metricOf, type Outline, rowOf } from './question';

export interface PatchGrid {
  readonly metric: Metric;
  readonly layers: readonly number[];
  /** Columns, in tokens of the corrupted prompt. */
  readonly spans: readonly Span[];
  readonly position: number;
  /** The metric without a patch. */
  readonly clean: number;
  readonly corrupted: number;
  /** The metric with the patch, [layers, spans]; NaN where it is not computed yet. */
  readonly patched: Float64Array;
  /**
   * (patched − corrupted) / (clean − corrupted), [layers, spans]: 0 changes nothing, 1 restores the clean answer; NaN where
   * the two prompts measure the same.
   */
  readonly effect: Float64Array;
}

/** Memory and batch of a patching run, before it runs. @throws InputError where the request does not fit the model. */
export const patchBudget = (model: Outline, request: PatchRequest): Budget => patchPlan(model, request).budget;

/**
 * Activation and state patching (method: Meng et al., arXiv 2202.05262; measures: Heimersheim & Nanda, arXiv 2404.15255): the
 * corrupted prompt is run once per layer and span, with one thing taken from the clean run, and the answer is measured.
 *
 * Cost: two forward passes, then for layer l the blocks l … over all spans, batched; what comes before the patched block is
 * never run again. `hook_h` runs the patched block once for each prompt token by token. `ssm` and `conv` go span by span with all layers in one batch, over the tokens after the span only.
 * Yields after every block; stop early with `return()`.
 * @throws InputError for prompts that are not aligned, a layer, span, point or token that is not there, or too much memory.
 */
export function* patchSteps(model: Model, request: PatchRequest): Generator<Progress<PatchGrid>, PatchGrid, void> {
  const plan = patchPlan(model, request);
  const { layers, spans, position } = plan;
  const clean = baselineOf(model, request.clean, plan.cleanPosition);
  const corrupted = baselineOf(model, request.corrupted, position);
  const patched = new Float64Array(layers.length * spans.length).fill(Number.NaN);
  const receive = (row: number, column: number, logits: Float32Array) => {
    patched[row * spans.length + column] = measure(logits, request);
  };
  const [high, low] = [measure(clean.logits, request), measure(corrupted.logits, request)];
  const fixed = { metric: metricOf(request), layers, spans, position, clean: high, corrupted: low, patched };
  const grid = (): PatchGrid => ({ ...fixed, effect: normalised(patched, high, low) });

  const inputs = { ...plan, clean, corrupted, receive };
  const remembered = request.point === 'ssm' || request.point === 'conv';
  const steps = remembered ? memorySweep(model, request, inputs) : blockSweep(model, request, inputs);
  for (const step of steps) yield { ...step, result: grid() };
  return grid();
}

/** {@link patchSteps} in one go. */
export const patchGrid = (model: Model, request: PatchRequest): PatchGrid => drain(patchSteps(model, request));

const normalised = (patched: Float64Array, clean: number, corrupted: number) =>
  patched.map((value) => (clean === corrupted ? Number.NaN : (value - corrupted) / (clean - corrupted)));

/** Layer by layer, as many spans at a time as the budget allows. */
function blockSweep(model: Model, request: PatchRequest, inputs: PatchInputs): Generator<Steps, void, void> {
  const { layers, spans, budget, corrupted } = inputs;
  const total = blocksToRun(model, layers, spans.length, budget.rows);
  return sweep(model, corrupted, patchBatches(model, request, inputs), total);
}

function* patchBatches(model: Model, request: PatchRequest, inputs: PatchInputs): Generator<Batch, void, void> {
  const { layers, spans, budget, receive } = inputs;
  for (const [row, layer] of layers.entries()) {
    const hooksOf = patchHooks(model, request, inputs, layer);
    for (const { start, part } of inBatches(spans, budget.rows))
      yield {
        first: layer,
        rows: part.length,
        hooks: hooksOf(part),
        receive: (logits) => {
          for (const k of part.keys()) receive(row, start + k, rowOf(logits, model, k));
        },
      };
  }
}
