import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { drain, type Progress } from '../steps';
import { type Budget, budgetOf } from './budget';
import { type Component, componentsOf, placeOf } from './components';
import { type Batch, baselineOf, type STEP, sweep, valuesOf } from './continuation';
import { FrozenNorms, frozenBlocks, frozenSize } from './frozenNorms';
import { differentialLayers } from './lambda';
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
import { type Reading, readingOf } from './reading';
import {
  longestOf,
  type Method,
  type Reference,
  type ReferencePlan,
  ReferenceRuns,
  type ReferenceUsed,
  referenceBlocks,
  referencePlan,
  referenceSize,
  usedOf,
  zeros,
} from './referenceValues';
import { replaceRegions } from './replacement';

export interface InterventionRequest extends PromptQuestion {
  readonly candidates?: readonly number[];
  /** λ of differential blocks, all set together. */
  readonly lambdas?: readonly { readonly layer: number; readonly value: number }[];
  /** Components whose output is replaced at every token, all together. */
  readonly removed?: readonly Component[];
  /** What it is replaced by: zero (default) or its mean over the reference. */
  readonly method?: Exclude<Method, 'resample'>;
  /** Prompts that means are taken over, aligned at their last token; `mean` cannot do without where parts are taken out. */
  readonly reference?: Reference;
}

/** What the residual stream after a block says through the logit lens, unchanged and changed. */
export interface LayerReadings {
  readonly layer: number;
  readonly base: Reading;
  readonly changed: Reading;
  /** The changed run with every norm dividing as in the untouched pass; null until it is there. */
  readonly frozen_norms: Reading | null;
}

export interface Intervention {
  readonly metric: Metric;
  readonly position: number;
  /** What means were taken over. */
  readonly reference: ReferenceUsed | null;
  readonly base: Reading;
  /** Null until the last block has run. */
  readonly changed: Reading | null;
  /** The same with every norm dividing as in the untouched pass. */
  readonly frozen_norms: Reading | null;
  /** Of every block that has run. */
  readonly layers: readonly LayerReadings[];
}

/** Memory of an intervention, before it runs. @throws InputError where the request does not fit the model. */
export const interventionBudget = (model: Outline, request: InterventionRequest): Budget =>
  interventionPlan(model, request).budget;

/**
 * One run of the model with several parts changed at once, against the unchanged run: the answer, and what the logit lens
 * says after every block; once more with every norm, that of the lens too, dividing as in the untouched pass
 * ({@link FrozenNorms}).
 *
 * Cost: one forward pass, three times the blocks from the first changed one on, and three positions of the head for each block. Yields
 * after every block; stop early with `return()`.
 * @throws InputError where nothing is changed, or the request does not fit the model.
 */
export function* interventionSteps(
  model: Model,
  request: InterventionRequest,
): Generator<Progress<Intervention>, Intervention, void> {
  const plan = interventionPlan(model, request);
  const { position, first } = plan;
  const { blocks, d } = model.config;
  const baseline = baselineOf(model, request.tokens, position);
  const rowAt = (stream: number) => baseline.streams[stream].subarray((baseline.L - 1) * d, baseline.L * d);
  const before = readings(
    model,
    blocks.map((_, layer) => rowAt(layer + 1)),
  );
  const base = readingOf(baseline.logits, baseline.logits, request);
  const fixed = { metric: metricOf(request), position, reference: usedOf(plan.reference), base };
  const layers: LayerReadings[] = [];
  let [changed, frozen]: (Reading | null)[] = [null, null];
  const put = (layer: number, logits: Float32Array) => {
    const own = rowOf(before, model, layer);
    const untouched = readingOf(own, own, request);
    layers[layer] =
      layer < first
        ? { layer, base: untouched, changed: untouched, frozen_norms: untouched }
        : { layer, base: untouched, changed: readingOf(logits, own, request), frozen_norms: null };
  };
  const putFrozen = (layer: number, logits: Float32Array) => {
    layers[layer] = { ...layers[layer], frozen_norms: readingOf(logits, rowOf(before, model, layer), request) };
  };
  for (let layer = 0; layer < first; layer++) put(layer, rowOf(before, model, layer));
  const result = (): Intervention => ({ ...fixed, changed, frozen_norms: frozen, layers: [...layers] });

  const watch = (unembed: (h: tf.Tensor3D, layer: number) => tf.Tensor3D, put: typeof putFrozen): Hook => [
    'blocks.*.hook_resid_post',
    (value, name) => {
      const layer = Number(name.split('.')[1]);
      const last = tf.tidy(() => unembed(value.slice([0, baseline.L - 1, 0], [1, 1, -1]) as tf.Tensor3D, layer));
      put(layer, rowOf(valuesOf(last), model, 0));
    },
  ];
  function* batches(): Generator<Batch | typeof STEP, void, void> {
    const norms = yield* FrozenNorms.of(model, baseline, first);
    const hooks = yield* changes(model, request, plan, baseline.L);
    yield {
      first,
      rows: 1,
      hooks: [...hooks, watch((h) => model.unembed(h), put)],
      receive: (logits) => {
        changed = readingOf(rowOf(logits, model, 0), baseline.logits, request);
      },
    };
    const atLayer = watch((h, layer) => norms.unembed(h, rowAt(layer + 1)), putFrozen);
    yield {
      first,
      rows: 1,
      hooks: [...norms.around(hooks), atLayer],
      unembed: (h) => norms.unembed(h),
      receive: (logits) => {
        frozen = readingOf(rowOf(logits, model, 0), baseline.logits, request);
      },
    };
  }
  const total = referenceBlocks(plan.reference, plan.lastRemoved) + 3 * frozenBlocks(model.config, first);
  for (const step of sweep(model, baseline, batches(), total)) yield { ...step, result: result() };
  return result();
}

/** {@link interventionSteps} in one go. */
export const intervention = (model: Model, request: InterventionRequest): Intervention =>
  drain(interventionSteps(model, request));

/** Logits of these rows of residual streams, [rows,V]. */
function readings(model: Model, rows: readonly Float32Array[]): Float32Array {
  const { d } = model.config;
  const all = new Float32Array(rows.length * d);
  rows.forEach((row, k) => {
    all.set(row, k * d);
  });
  return valuesOf(tf.tidy(() => model.unembed(tf.tensor3d(all, [1, rows.length, d]))));
}

function* changes(
  model: Model,
  { lambdas = [], removed = [] }: InterventionRequest,
  { reference }: InterventionPlan,
  L: number,
): Generator<typeof STEP, Hook[], void> {
  const hooks = lambdas.map(
    ({ layer, value }): Hook => [`blocks.${layer}.hook_lambda`, (lambda) => tf.fill(lambda.shape, value)],
  );
  const runs = reference && new ReferenceRuns(model, reference);
  const layers = [...new Set(removed.map(({ layer }) => layer))].sort((a, b) => a - b);
  for (const layer of layers) {
    const places = removed.filter((part) => part.layer === layer).map((part) => placeOf(model, part));
    const names = [...new Set(places.map(({ name }) => name))];
    const values = runs ? yield* runs.at(layer, names) : zeros;
    for (const name of names) {
      const here = places.filter((place) => place.name === name);
      const whole = here.some(({ channels }) => channels === undefined);
      const channels = whole ? undefined : here.flatMap((place) => place.channels ?? []);
      const regions = [{ positions: [[0, L]] as const, channels }];
      hooks.push([
        name,
        (value) => tf.tidy(() => replaceRegions(value, values(name, value.shape[2] as number), regions)),
      ]);
    }
  }
  return hooks;
}

interface InterventionPlan {
  readonly position: number;
  readonly first: number;
  /** The last layer that something is taken out of; −1 where nothing is. */
  readonly lastRemoved: number;
  readonly reference: ReferencePlan | undefined;
  readonly budget: Budget;
}

/** @throws InputError */
function interventionPlan(model: Outline, request: InterventionRequest): InterventionPlan {
  requireQuestion(model, request);
  for (const target of request.candidates ?? []) requireQuestion(model, { target });
  const { lambdas = [], removed = [] } = request;
  if (lambdas.length + removed.length === 0)
    throw new InputError('Nothing is changed: give a value of λ, or a part to take out.');
  if (lambdas.some(({ value }) => !Number.isFinite(value))) throw new InputError('λ takes finite numbers.');
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const overridden = lambdas.map(({ layer }) => layer);
  if (overridden.length > 0) differentialLayers(model, overridden);
  const layers = layersOf(model, [...overridden, ...removed.map(({ layer }) => layer)]);
  for (const part of removed) requireComponent(model, part);
  // λ is set, not taken from anything.
  const reference =
    removed.length > 0
      ? referencePlan(
          request.method ?? 'zero',
          request.reference,
          request.tokens.slice(0, position + 1),
          model.config.V,
        )
      : undefined;
  const { blocks, d, V } = model.config;
  const { mixer } = blocks[layers[0]];
  const budget = budgetOf(model.config, {
    L: longestOf(reference, position + 1),
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: {
      fixed:
        referenceSize(reference, d, 2 * Math.max(d, ...blocks.map((block) => block.mixer.E))) +
        frozenSize(model.config, position + 1),
      perRow: 3 * blocks.length * V + 2 * (position + 1) * mixer.E,
    },
  });
  const lastRemoved = Math.max(-1, ...removed.map(({ layer }) => layer));
  return { position, first: layers[0], lastRemoved, reference, budget };
}

/** @throws InputError where the layer has no such part. */
function requireComponent(model: Outline, { layer, unit, mixer, index }: Component): void {
  const same = (other: Component) => other.index === index && other.mixer === mixer;
  if (componentsOf(model, unit, [layer], mixer).some(same)) return;
  const name = [unit, mixer, index].filter((part) => part !== undefined).join(' ');
  throw new InputError(`Layer ${layer} (${model.config.blocks[layer].kind}) has no ${name}: choose another part.`);
}
