import * as tf from '@tensorflow/tfjs';
import { scansOf } from '@/lib/architectures/places';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { branchNames } from '../causal/branchTerms';
import { type Budget, budgetOf } from '../causal/budget';
import type { Baseline } from '../causal/continuation';
import { layersOf, type Outline, type PromptQuestion, positionOf, requireQuestion } from '../causal/question';
import { watched } from '../causal/seenBlock';
import { logitDirections } from '../direction';
import { drain, type Progress, type Steps, through } from '../steps';
import { classesOf, type TokenSpans } from './classes';
import { answered, type LayerReads, readsOf, type UnreadLayer } from './reads';

/** One prompt: what is asked, and which of its tokens are what. */
export interface AllocationRequest extends PromptQuestion, TokenSpans {
  /** Default: all. */
  readonly layers?: readonly number[];
}

/** Memory of one prompt, before it runs. @throws InputError where the request does not fit the model. */
export function allocationBudget(model: Outline, request: AllocationRequest): Budget {
  const { layers, L } = planOf(model, request);
  const { blocks, d } = model.config;
  const widest = Math.max(
    ...layers.map((layer) => (8 + 4 * scansOf(blocks[layer]).length) * blocks[layer].mixer.E + 8 * d),
  );
  return budgetOf(model.config, {
    L,
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: { perRow: (L + 1) * widest },
  });
}

/**
 * What every layer reads at one token, by class of token: how much from the span that decides the answer, from spans that name
 * another, from the rest of the story, the question, and itself. Every architecture by one ruler: the block as an exact operator on
 * its input.
 *
 * Yields after every block, with the number of layers read; stop early with `return()`. Cost beside the forward pass, a layer: the row of its operator, by
 * one more scan (of Mamba-2 kinds one channel a head) and a product [L,E]·[E,d] a branch, where the pass itself has
 * products of 3 L E d (docs/performance.md). Memory: what one block leaves, never that of two.
 * @throws InputError where the request does not fit the model.
 */
export function* allocationSteps(
  model: Model,
  request: AllocationRequest,
): Generator<Steps, readonly LayerReads[], void> {
  const { layers, classes, L } = planOf(model, request);
  const { blocks, d } = model.config;
  const wanted = new Set(layers);
  const watch = watched(
    model,
    layers.flatMap((layer) => branchNames(layer, blocks[layer])),
  );
  const reads = new Map<number, UnreadLayer>();
  const pass = model.blocksOf([request.tokens.slice(0, L)], watch.hooks);
  try {
    const last = yield* through(pass, ({ index }) => {
      if (wanted.has(index)) reads.set(index, readsOf(model, watch.seen, index, classes));
      watch.forget();
      return { done: reads.size, total: layers.length };
    });
    const final = tf.tidy(
      () =>
        last
          .slice([0, L - 1, 0], [1, 1, d])
          .dataSync()
          .slice() as Float32Array,
    );
    last.dispose();
    const direction = directionOf(model, final, request);
    return layers.map((layer) => answered(reads.get(layer) as UnreadLayer, direction));
  } finally {
    watch.forget();
  }
}

/**
 * The same from the residual streams of a forward pass that was run before, [L,d] each, up to the token that is read and no
 * further: the embedding, then what every block left. Cost: each block once more, and the row of its operator.
 */
export function* allocationFrom(
  model: Model,
  pass: Pick<Baseline, 'streams' | 'L'>,
  request: AllocationRequest,
): Generator<Steps, readonly LayerReads[], void> {
  const { layers, classes } = planOf(model, request);
  const { blocks, d } = model.config;
  const direction = directionOf(model, pass.streams[pass.streams.length - 1].subarray((pass.L - 1) * d), request);
  const result: LayerReads[] = [];
  for (const layer of layers) {
    const watch = watched(model, branchNames(layer, blocks[layer]));
    try {
      watch.run(pass.streams[layer], layer);
      result.push(answered(readsOf(model, watch.seen, layer, classes), direction));
    } finally {
      watch.forget();
    }
    yield { done: result.length, total: layers.length };
  }
  return result;
}

/** Spans that begin before the token that is read: what stands behind it is read by nobody. */
export const upTo = (L: number, { needle, competing = [], question = [] }: TokenSpans): TokenSpans => ({
  needle,
  competing: competing.filter(([start]) => start < L),
  question: question.filter(([start]) => start < L),
});

/** What of the residual stream the metric reads: the target's logit, or how far it is above the foil's [d]. @param final residual stream that leaves the last block, [d] */
export function directionOf(
  model: Model,
  final: Float32Array,
  { target, foil }: Pick<AllocationRequest, 'target' | 'foil'>,
): Float64Array {
  const [right, wrong] = logitDirections(model, final, foil === undefined ? [target] : [target, foil]);
  return wrong ? right.map((value, c) => value - wrong[c]) : right;
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
): Generator<Progress<readonly (readonly LayerReads[])[]>, (readonly LayerReads[])[], void> {
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
