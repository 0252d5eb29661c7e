import * as tf from '@tensorflow/tfjs';
import type { Hook, Model } from '@/lib/models';
import { drain, type Progress } from '../steps';
import { type Budget, budgetOf } from './budget';
import { type Component, componentsOf, type Place, placeOf, type Unit } from './components';
import { type Baseline, type Batch, baselineOf, blocksToRun, inBatches, type STEP, sweep } from './continuation';
import { bothWays, FrozenNorms, frozenBlocks, frozenSize } from './frozenNorms';
import type { Mixer } from './points';
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
import {
  longestOf,
  type Method,
  type Reference,
  type ReferencePlan,
  ReferenceRuns,
  type ReferenceUsed,
  type Replacements,
  referenceBlocks,
  referencePlan,
  referenceSize,
  usedOf,
  zeros,
} from './referenceValues';
import { replaceRegions } from './replacement';

export interface AblationRequest extends PromptQuestion {
  readonly candidates?: readonly number[];
  readonly unit: Unit;
  /** What a component's output is replaced by, at every token. */
  readonly method: Method;
  /** Prompts that `mean` and `resample` are taken from, aligned at their last token; they cannot do without. */
  readonly reference?: Reference;
  /** Of `resample`; equal seeds draw equal tokens. Default 0. */
  readonly seed?: number;
  readonly mixer?: Mixer;
  readonly layers?: readonly number[];
}

export interface Ablated extends Component, Removed {}

export interface Ablation {
  readonly metric: Metric;
  readonly position: number;
  /** What `mean` and `resample` were taken from. */
  readonly reference: ReferenceUsed | null;
  /** The unchanged model. */
  readonly base: Reading;
  /** Those that are done, in the order of layers. */
  readonly components: readonly Ablated[];
}

interface AblationPlan {
  readonly components: readonly Component[];
  readonly position: number;
  readonly reference: ReferencePlan | undefined;
  readonly budget: Budget;
}

/** Memory and batch of an ablation, before it runs. @throws InputError where the request does not fit the model. */
export const ablationBudget = (model: Outline, request: AblationRequest): Budget => ablationPlan(model, request).budget;

/**
 * Ablates every component of a unit by itself and reads the answer: `zero`, `mean` (for each token over the tokens as far
 * from the end of the reference prompts) or `resample` (the tokens of one reference prompt a layer); see {@link ReferenceRuns}.
 *
 * Each is read twice: as the model is, and with every norm dividing as in the untouched pass ({@link FrozenNorms}).
 *
 * Cost: two forward passes of the prompt, one of each reference prompt, then for every layer l twice the blocks l … over all
 * its components, batched. Yields after every block; stop early with `return()`.
 * @throws InputError for a layer, token or unit that is not there, or too much memory.
 */
export function* ablationSteps(model: Model, request: AblationRequest): Generator<Progress<Ablation>, Ablation, void> {
  const plan = ablationPlan(model, request);
  const { components, position, budget } = plan;
  const baseline = baselineOf(model, request.tokens, position);
  const base = readingOf(baseline.logits, baseline.logits, request);
  const fixed = { metric: metricOf(request), position, reference: usedOf(plan.reference), base };
  const done: Ablated[] = [];
  const result = (): Ablation => ({ ...fixed, components: [...done] });
  const layers = [...new Set(components.map(({ layer }) => layer))];
  const groups = layers.map((layer) => ({ layer, parts: components.filter((each) => each.layer === layer) }));
  const total = groups.reduce(
    (sum, { layer, parts }) => sum + 2 * blocksToRun(model, [layer], parts.length, budget.rows),
    referenceBlocks(plan.reference, layers[layers.length - 1]) + frozenBlocks(model.config, layers[0]),
  );
  const batches = ablationBatches(model, {
    groups,
    rows: budget.rows,
    baseline,
    runs: plan.reference && new ReferenceRuns(model, plan.reference, request.seed),
    receive: (component, plain, frozen) => {
      done.push({ ...component, ...removedOf(plain, frozen, baseline.logits, request) });
    },
  });
  for (const step of sweep(model, baseline, batches, total)) yield { ...step, result: result() };
  return result();
}

/** {@link ablationSteps} in one go. */
export const ablation = (model: Model, request: AblationRequest): Ablation => drain(ablationSteps(model, request));

interface BatchInputs {
  readonly groups: readonly { readonly layer: number; readonly parts: readonly Component[] }[];
  readonly rows: number;
  readonly baseline: Baseline;
  readonly runs: ReferenceRuns | undefined;
  readonly receive: (component: Component, plain: Float32Array, frozen: Float32Array) => void;
}

function* ablationBatches(
  model: Model,
  { groups, rows, baseline, runs, receive }: BatchInputs,
): Generator<Batch | typeof STEP, void, void> {
  const norms = yield* FrozenNorms.of(model, baseline, groups[0].layer);
  for (const { layer, parts } of groups) {
    const names = [...new Set(parts.map((part) => placeOf(model, part).name))];
    const values = runs ? yield* runs.at(layer, names) : zeros;
    for (const { part } of inBatches(parts, rows)) {
      const places = part.map((each) => placeOf(model, each));
      const hooks = names.map((name) => replacing(name, places, values, baseline.L));
      yield* bothWays({ first: layer, rows: part.length, hooks }, norms, (plain, frozen) => {
        for (const [k, component] of part.entries())
          receive(component, rowOf(plain, model, k), rowOf(frozen, model, k));
      });
    }
  }
}

/** Replaces the rows whose component is at this point. */
function replacing(name: string, places: readonly Place[], values: Replacements, L: number): Hook {
  const regions = places.map((place) => ({
    positions: place.name === name ? ([0, L] as const) : ([0, 0] as const),
    channels: place.channels,
  }));
  return [name, (value) => tf.tidy(() => replaceRegions(value, values(name, value.shape[2] as number), regions))];
}

/** @throws InputError */
function ablationPlan(model: Outline, request: AblationRequest): AblationPlan {
  requireQuestion(model, request);
  for (const target of request.candidates ?? []) requireQuestion(model, { target });
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const components = componentsOf(model, request.unit, layersOf(model, request.layers), request.mixer);
  const reference = referencePlan(
    request.method,
    request.reference,
    request.tokens.slice(0, position + 1),
    model.config.V,
  );
  const wanted = Math.max(...components.map(({ layer }) => components.filter((each) => each.layer === layer).length));
  const width = 2 * Math.max(model.config.d, ...model.config.blocks.map(({ mixer }) => mixer.E));
  const budget = budgetOf(model.config, {
    L: longestOf(reference, position + 1),
    wanted,
    prompts: 1,
    limit: request.memory,
    extra: { fixed: referenceSize(reference, model.config.d, width) + frozenSize(model.config, position + 1) },
  });
  return { components, position, reference, budget };
}
