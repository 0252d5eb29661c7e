import * as tf from '@tensorflow/tfjs';
import { InputError, isDifferential } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import type { ClassSpans } from '@/lib/vocabulary';
import { classesOf } from '../allocation/classes';
import { needleAgainstContext, readsOf } from '../allocation/reads';
import { drain, type Progress } from '../steps';
import { branchNames } from './branchTerms';
import { type Budget, budgetOf } from './budget';
import {
  type Baseline,
  type Batch,
  baselineOf,
  blocksToRun,
  type Captured,
  captureBlock,
  STEP,
  sweep,
} from './continuation';
import { bothWays, FrozenNorms, frozenBlocks, frozenSize } from './frozenNorms';
import {
  layersOf,
  type Metric,
  metricOf,
  type Outline,
  type PromptQuestion,
  positionOf,
  requireQuestion,
  rowOf,
} from './question';
import { type Reading, type Removed, readingOf, removedOf } from './reading';
import { watched } from './seenBlock';

export interface LambdaRequest extends PromptQuestion {
  readonly candidates?: readonly number[];
  /** Values of λ that are tried; 0 removes branch 2. */
  readonly values: readonly number[];
  /** Values are multiples of each layer's own λ: 1 is the model as it is. */
  readonly relative?: boolean;
  /** With a needle, what every layer reads of it under each value is said too. */
  readonly classes?: ClassSpans;
  /** Default: all differential layers. */
  readonly layers?: readonly number[];
  /** All layers at once instead of each by itself. */
  readonly together?: boolean;
}

export interface LambdaRun extends Removed {
  readonly layers: readonly number[];
  /** The value, or the multiple of the layers' own. */
  readonly lambda: number;
  /** The needle's part of what each layer reads of its context, by norms, from layer 0 on; where there is a needle. */
  readonly needle_against_context?: readonly number[];
}

/** λ of a layer as it is: its mean where it has one a channel. */
export interface OwnLambda {
  readonly layer: number;
  readonly lambda: number;
}

export interface LambdaOverride {
  readonly metric: Metric;
  readonly position: number;
  readonly base: Reading;
  readonly relative: boolean;
  /** Of the layers that are changed. */
  readonly own: readonly OwnLambda[];
  /** As that of the runs, of the unchanged model. */
  readonly needle_against_context?: readonly number[];
  readonly runs: readonly LambdaRun[];
}

/** Memory of an override, before it runs. @throws InputError where the request does not fit the model. */
export const lambdaBudget = (model: Outline, request: LambdaRequest): Budget => lambdaPlan(model, request).budget;

/**
 * Overrides λ of differential blocks, layer by layer or in all of them, and reads the answer. Everything else, the norm of
 * the difference included, follows; once more with every norm dividing as in the untouched pass ({@link FrozenNorms}). At the model's own λ, or at
 * the multiple 1, it is the untouched pass to the last digit.
 * Cost: two forward passes, and for each value and layer l twice the blocks l … of one prompt; with a needle three times, and the row of each
 * block's operator. Yields after every block.
 * @throws InputError where a chosen layer is not differential, or the request does not fit the model.
 */
export function* lambdaSteps(
  model: Model,
  request: LambdaRequest,
): Generator<Progress<LambdaOverride>, LambdaOverride, void> {
  const { layers, position, classes } = lambdaPlan(model, request);
  const baseline = baselineOf(model, request.tokens, position);
  const base = readingOf(baseline.logits, baseline.logits, request);
  const own = layers.map((layer): OwnLambda => ({ layer, lambda: ownLambda(model, baseline, layer) }));
  const runs: LambdaRun[] = [];
  const relative = request.relative ?? false;
  let unchanged: readonly number[] | undefined;
  const result = (): LambdaOverride => ({
    ...{ metric: metricOf(request), position, base, relative, own },
    ...(unchanged && { needle_against_context: unchanged }),
    runs: [...runs],
  });
  const groups = request.together ? [layers] : layers.map((layer) => [layer]);
  const firsts = groups.map(([first]) => first);
  function* batches(): Generator<Batch | typeof STEP, void, void> {
    if (classes) unchanged = yield* needleReads(model, baseline, 0, [], classes);
    const norms = yield* FrozenNorms.of(model, baseline, firsts[0]);
    for (const group of groups)
      for (const lambda of request.values) {
        const hooks = group.map(
          (layer): Hook => [
            `blocks.${layer}.hook_lambda`,
            (value) => (relative ? value.mul(lambda) : tf.fill(value.shape, lambda)),
          ],
        );
        const reads =
          classes && unchanged
            ? {
                needle_against_context: [
                  ...unchanged.slice(0, group[0]),
                  ...(yield* needleReads(model, baseline, group[0], hooks, classes)),
                ],
              }
            : {};
        yield* bothWays({ first: group[0], rows: 1, hooks }, norms, (plain, frozen) => {
          const both = [rowOf(plain, model, 0), rowOf(frozen, model, 0)] as const;
          runs.push({ layers: group, lambda, ...reads, ...removedOf(...both, baseline.logits, request) });
        });
      }
  }
  const passes = classes ? 3 : 2;
  const total =
    (classes ? model.config.blocks.length : 0) +
    frozenBlocks(model.config, firsts[0]) +
    passes * request.values.length * blocksToRun(model, firsts, 1, 1);
  for (const step of sweep(model, baseline, batches(), total)) yield { ...step, result: result() };
  return result();
}

/** λ of a layer of the untouched pass. Cost: that block. */
function ownLambda(model: Model, baseline: Baseline, layer: number): number {
  const name = `blocks.${layer}.hook_lambda`;
  const { data } = captureBlock(model, baseline, layer, [name]).get(name) as Captured;
  return data.reduce((sum, value) => sum + value, 0) / data.length;
}

/** {@link needleAgainstContext} of every block from `first` on, under these hooks. */
function* needleReads(
  model: Model,
  { streams, L }: Baseline,
  first: number,
  hooks: readonly Hook[],
  classes: Uint8Array,
): Generator<typeof STEP, number[], void> {
  const { blocks, d } = model.config;
  const watch = watched(
    model,
    blocks.slice(first).flatMap((block, k) => branchNames(first + k, block)),
  );
  const start = tf.tensor3d(streams[first], [1, L, d]);
  const run = model.blocksFrom(start, first, [...hooks, ...watch.hooks]);
  const reads: number[] = [];
  try {
    let step = run.next();
    for (; !step.done; step = run.next()) {
      reads.push(needleAgainstContext(readsOf(model, watch.seen, step.value.index, classes)));
      watch.forget();
      yield STEP;
    }
    step.value.dispose();
  } finally {
    watch.forget();
    run.return(undefined as never);
    start.dispose();
  }
  return reads;
}

/** {@link lambdaSteps} in one go. */
export const lambdaOverride = (model: Model, request: LambdaRequest): LambdaOverride =>
  drain(lambdaSteps(model, request));

/** @throws InputError */
function lambdaPlan(model: Outline, request: LambdaRequest) {
  requireQuestion(model, request);
  for (const target of request.candidates ?? []) requireQuestion(model, { target });
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const layers = differentialLayers(model, request.layers);
  const { needle, ...others } = request.classes ?? {};
  if (request.classes && !needle)
    throw new InputError('What is read of the needle can be said only where there is one: give the needle.');
  const classes = needle && classesOf(position + 1, { needle, ...others });
  const stray = request.values.find((value) => !Number.isFinite(value));
  if (request.values.length === 0 || stray !== undefined) throw new InputError('λ takes one or more finite numbers.');
  const budget = budgetOf(model.config, {
    L: position + 1,
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: {
      fixed: frozenSize(model.config, position + 1),
      perRow: classes
        ? (position + 2) * (16 * Math.max(...model.config.blocks.map(({ mixer }) => mixer.E)) + 8 * model.config.d)
        : 0,
    },
  });
  return { layers, position, classes, budget };
}

/** @throws InputError where there are none, or a chosen layer is not one. */
export function differentialLayers(model: Outline, layers?: readonly number[]): number[] {
  const chosen = layersOf(model, layers);
  const plain = chosen.find((layer) => !isDifferential(model.config.blocks[layer]));
  if (layers && plain !== undefined)
    throw new InputError(`Layer ${plain} is not differential, so it has no λ and nothing to cancel: leave it out.`);
  const found = chosen.filter((layer) => isDifferential(model.config.blocks[layer]));
  if (found.length > 0) return found;
  throw new InputError(`${model.name} has no differential blocks, so it has no λ and nothing to cancel.`);
}
