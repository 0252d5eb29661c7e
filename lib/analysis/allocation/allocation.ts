import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type Budget, budgetOf } from '../causal/budget';
import { type Baseline, baselineOf } from '../causal/continuation';
import { layersOf, type Outline, type PromptQuestion, positionOf, requireQuestion } from '../causal/question';
import { logitDirections } from '../direction';
import { drain, through } from '../steps';
import { classesOf, type TokenSpans } from './classes';
import { type LayerReads, readsOf } from './reads';

/** One prompt: what is asked, and which of its tokens are what. */
export interface AllocationRequest extends PromptQuestion, TokenSpans {
  /** Default: all. */
  readonly layers?: readonly number[];
}

/** Memory of one prompt, before it runs. @throws InputError where the request does not fit the model. */
export function allocationBudget(model: Outline, request: AllocationRequest): Budget {
  const { layers, L } = planOf(model, request);
  const { blocks, d } = model.config;
  const widest = Math.max(...layers.map((layer) => 8 * blocks[layer].mixer.E + 8 * d));
  return budgetOf(model.config, {
    L,
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: { perRow: (L + 1) * widest },
  });
}

export interface AllocationProgress {
  readonly done: number;
  readonly total: number;
  /** Of the layers that are finished. */
  readonly result: readonly LayerReads[];
}

/**
 * What every layer reads at one token, by class of token: how much from the span that decides the answer, from spans that name
 * another, from the rest of the story, the question, and itself. Every architecture by one ruler: the block as an exact operator on
 * its input.
 *
 * Yields after every layer; stop early with `return()`. Cost: one forward pass, each block once more, and one row of its
 * operator: L·E·(N + K) (Mamba-2 kinds L·(H·N + E·K)) and a product [L,E]·[E,d] a scan.
 * @throws InputError where the request does not fit the model.
 */
export function* allocationSteps(
  model: Model,
  request: AllocationRequest,
): Generator<AllocationProgress, readonly LayerReads[], void> {
  const { position } = planOf(model, request);
  return yield* allocationFrom(model, baselineOf(model, request.tokens, position), request);
}

/**
 * The same from the residual streams of a forward pass that was run before, [L,d] each, up to the token that is read and no
 * further: the embedding, then what every block left.
 */
export function* allocationFrom(
  model: Model,
  pass: Pick<Baseline, 'streams' | 'L'>,
  request: AllocationRequest,
): Generator<AllocationProgress, readonly LayerReads[], void> {
  const { layers, classes } = planOf(model, request);
  const { d } = model.config;
  const final = pass.streams[pass.streams.length - 1].subarray((pass.L - 1) * d);
  const answers = request.foil === undefined ? [request.target] : [request.target, request.foil];
  const [target, foil] = logitDirections(model, final, answers);
  const direction = foil ? target.map((value, c) => value - foil[c]) : target;
  const result: LayerReads[] = [];
  for (const layer of layers) {
    result.push(readsOf(model, pass, layer, classes, direction));
    yield { done: result.length, total: layers.length, result: [...result] };
  }
  return result;
}

/** {@link allocationSteps} in one go. */
export const allocation = (model: Model, request: AllocationRequest): readonly LayerReads[] =>
  drain(allocationSteps(model, request));

/**
 * {@link allocationSteps} of many prompts, one after the other; returns the reads by prompt. Memory is that of one prompt.
 * @throws InputError where there are no prompts, or one does not fit the model.
 */
export function* allocationBatchSteps(
  model: Model,
  examples: readonly AllocationRequest[],
): Generator<
  { done: number; total: number; result: readonly (readonly LayerReads[])[] },
  (readonly LayerReads[])[],
  void
> {
  if (examples.length === 0) throw new InputError('There are no examples: give at least one prompt.');
  const reads: (readonly LayerReads[])[] = [];
  for (const [index, example] of examples.entries())
    reads.push(
      yield* through(allocationSteps(model, example), ({ done, total }) => ({
        done: index * total + done,
        total: examples.length * total,
        result: reads,
      })),
    );
  return reads;
}

function planOf(model: Outline, request: AllocationRequest) {
  requireQuestion(model, request);
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const L = position + 1;
  return { layers: layersOf(model, request.layers), position, L, classes: classesOf(L, request) };
}
