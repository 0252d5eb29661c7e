import * as tf from '@tensorflow/tfjs';
import { InputError, isDifferential } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { drain, type Progress } from '../steps';
import { type Budget, budgetOf } from './budget';
import { type Batch, baselineOf, blocksToRun, type STEP, sweep } from './continuation';
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

export interface LambdaRequest extends PromptQuestion {
  readonly candidates?: readonly number[];
  /** Values of λ that are tried; 0 removes branch 2. */
  readonly values: readonly number[];
  /** Default: all differential layers. */
  readonly layers?: readonly number[];
  /** All layers at once instead of each by itself. */
  readonly together?: boolean;
}

export interface LambdaRun extends Removed {
  readonly layers: readonly number[];
  readonly lambda: number;
}

export interface LambdaOverride {
  readonly metric: Metric;
  readonly position: number;
  readonly base: Reading;
  readonly runs: readonly LambdaRun[];
}

/** Memory of an override, before it runs. @throws InputError where the request does not fit the model. */
export const lambdaBudget = (model: Outline, request: LambdaRequest): Budget => lambdaPlan(model, request).budget;

/**
 * Overrides λ of differential blocks, layer by layer or in all of them, and reads the answer. Everything else, the norm of
 * the difference included, follows; once more with every norm dividing as in the untouched pass ({@link FrozenNorms}).
 * Cost: two forward passes, and for each value and layer l twice the blocks l … of one prompt. Yields after every block.
 * @throws InputError where a chosen layer is not differential, or the request does not fit the model.
 */
export function* lambdaSteps(
  model: Model,
  request: LambdaRequest,
): Generator<Progress<LambdaOverride>, LambdaOverride, void> {
  const { layers, position } = lambdaPlan(model, request);
  const baseline = baselineOf(model, request.tokens, position);
  const base = readingOf(baseline.logits, baseline.logits, request);
  const runs: LambdaRun[] = [];
  const result = (): LambdaOverride => ({ metric: metricOf(request), position, base, runs: [...runs] });
  const groups = request.together ? [layers] : layers.map((layer) => [layer]);
  const firsts = groups.map(([first]) => first);
  function* batches(): Generator<Batch | typeof STEP, void, void> {
    const norms = yield* FrozenNorms.of(model, baseline, firsts[0]);
    for (const group of groups)
      for (const lambda of request.values) {
        const hooks = group.map(
          (layer): Hook => [`blocks.${layer}.hook_lambda`, (value) => tf.fill(value.shape, lambda)],
        );
        yield* bothWays({ first: group[0], rows: 1, hooks }, norms, (plain, frozen) => {
          const both = [rowOf(plain, model, 0), rowOf(frozen, model, 0)] as const;
          runs.push({ layers: group, lambda, ...removedOf(...both, baseline.logits, request) });
        });
      }
  }
  const total = frozenBlocks(model.config, firsts[0]) + 2 * request.values.length * blocksToRun(model, firsts, 1, 1);
  for (const step of sweep(model, baseline, batches(), total)) yield { ...step, result: result() };
  return result();
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
  const stray = request.values.find((value) => !Number.isFinite(value));
  if (request.values.length === 0 || stray !== undefined) throw new InputError('λ takes one or more finite numbers.');
  const budget = budgetOf(model.config, {
    L: position + 1,
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: { fixed: frozenSize(model.config, position + 1) },
  });
  return { layers, position, budget };
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
