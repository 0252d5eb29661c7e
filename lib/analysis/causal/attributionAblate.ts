import { isHybrid } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { drain, type Progress, through } from '../steps';
import { tidied } from '../tidied';
import {
  type AblatedPart,
  type AblationRequest,
  ablatedPart,
  ablationPlan,
  chosenAblationSteps,
  type Removal,
} from './ablate';
import {
  type Agreement,
  agreementOf,
  beforeChecks,
  type Compared,
  duringChecks,
  strongestOf,
} from './attributionCheck';
import { type BlockBehind, blocksBehind, sumOver, weighed } from './attributionStream';
import { type Budget, blockValues, budgetOf } from './budget';
import { type Component, placeOf } from './components';
import { baselineOf, type Captured } from './continuation';
import { type Metric, metricOf, type Outline } from './question';
import { type Reading, readingOf } from './reading';
import {
  longestOf,
  ReferenceRuns,
  type ReferenceUsed,
  type Replacements,
  referenceBlocks,
  referenceSize,
  usedOf,
  zeros,
} from './referenceValues';

/** What a part's replacement is estimated to do, in the metric's unit. */
export interface EstimatedAblation extends AblatedPart {
  readonly value: number;
  readonly change: number;
}

/** A part that was replaced as well. */
export type CheckedPart = AblatedPart & Compared;

export interface AblationAttribution {
  readonly metric: Metric;
  readonly position: number;
  /** What `mean` and `resample` were taken from. */
  readonly reference: ReferenceUsed | null;
  /** The unchanged model. */
  readonly base: Reading;
  /** Those that are done, in the order of layers. */
  readonly components: readonly EstimatedAblation[];
  /** By kind of part, as `mixer_1` or `mixer_1.head`, where some were replaced as well; else empty. */
  readonly agreement: readonly Agreement<CheckedPart>[];
}

/** Memory of the estimate, before it runs. @throws InputError where the request does not fit the model. */
export function ablationAttributionBudget(model: Outline, request: AblationRequest): Budget {
  const { position, reference, removals } = ablationPlan(model, request);
  const { config } = model;
  const L = position + 1;
  const layers = new Set(removals.flatMap(({ components }) => components.map(({ layer }) => layer)));
  const width = 2 * Math.max(config.d, ...config.blocks.map(({ mixer }) => mixer.E));
  return budgetOf(config, {
    L: longestOf(reference, L),
    wanted: 1,
    prompts: 1,
    extra: {
      // The way back goes from the last layer to the first, references from the first to the last: all of them are kept.
      fixed: layers.size * referenceSize(reference, config.d, width),
      // The tape of one block and its gradients, every part's changes by token, and the unembedding with its own.
      perRow: 2 * blockValues(config, L) + 4 * L * width + 4 * config.V,
    },
    limit: request.memory,
  });
}

/**
 * An estimate of every run of {@link ablationSteps} at once, to first order: what a part is replaced by less what it was, with the
 * slope of the measure there,
 *
 *     change ≈ Σ_t Σ_c (r[t,c] − a[t,c]) ∂m/∂a[t,c]
 *
 * over its channels and the tokens of the run. A whole block of a model without attention is followed exactly through the next RMS norm,
 * which is flat along the stream, as in {@link attributionPatchSteps}. Windows are the sums of their layers.
 *
 * Cost: a forward pass, then every block from the first layer on forward and back: about four forward passes, however many
 * parts there are; and one of each reference prompt. Memory: the residual streams, the activations of one block, and what stands in
 * for every part. Yields after every block; stop early with `return()`.
 * @throws InputError as {@link ablationSteps}
 */
export function* ablationAttributionSteps(
  model: Model,
  request: AblationRequest,
): Generator<Progress<AblationAttribution>, AblationAttribution, void> {
  const plan = ablationPlan(model, request);
  ablationAttributionBudget(model, request);
  const { removals, columns, position, reference } = plan;
  const baseline = baselineOf(model, request.tokens, position);
  const base = readingOf(baseline.logits, baseline.logits, request);
  const everything = [[0, baseline.L]] as const;
  const parts = new Map<number, Set<Component>>();
  for (const component of new Set(removals.flatMap(({ components }) => components)))
    parts.set(component.layer, (parts.get(component.layer) ?? new Set()).add(component));
  const partsOf = (layer: number) => [...(parts.get(layer) ?? [])];
  const layers = [...parts.keys()].sort((a, b) => a - b);
  const changes = new Map<Component, Float64Array>();
  /** By the first layer of each run, which the way back comes to last. */
  const known = new Map<number, EstimatedAblation[]>();
  const estimated = (removal: Removal): EstimatedAblation => {
    const { components, column } = removal;
    const tokens = columns && column >= 0 ? columns.sets[column] : everything;
    const change = components.reduce(
      (sum, component) => sum + sumOver(changes.get(component) as Float64Array, tokens),
      0,
    );
    return { ...ablatedPart(removal, columns), value: base.value + change, change };
  };
  const byFirst = new Map<number, Removal[]>();
  for (const removal of removals) {
    const [{ layer }] = removal.components;
    const own = byFirst.get(layer);
    if (own) own.push(removal);
    else byFirst.set(layer, [removal]);
  }
  const result = (): AblationAttribution => ({
    metric: metricOf(request),
    position,
    reference: usedOf(reference),
    base,
    components: layers.flatMap((layer) => known.get(layer) ?? []),
    agreement: [],
  });
  const namesAt = (layer: number) => [...new Set(partsOf(layer).map((component) => placeOf(model, component).name))];
  const { blocks } = model.config;
  const total = referenceBlocks(reference, layers[layers.length - 1]) + blocks.length - layers[0];
  let done = 0;
  const step = () => ({ done, total, result: result() });
  const replaced = new Map<number, Replacements>();
  const runs = reference && new ReferenceRuns(model, reference, request.seed);
  for (const layer of layers)
    replaced.set(
      layer,
      runs
        ? yield* through(runs.at(layer, namesAt(layer)), () => {
            done += 1;
            return step();
          })
        : zeros,
    );
  const question = { ...request, metric: metricOf(request) };
  const asked = (layer: number) => ({ points: namesAt(layer), watched: namesAt(layer) });
  for (const block of blocksBehind(model, baseline, question, layers[0], asked)) {
    for (const [component, change] of changesIn(model, block, partsOf(block.layer), replaced.get(block.layer) ?? zeros))
      changes.set(component, change);
    known.set(block.layer, (byFirst.get(block.layer) ?? []).map(estimated));
    done += 1;
    yield step();
  }
  return result();
}

/** {@link ablationAttributionSteps} in one go. */
export const ablationAttribution = (model: Model, request: AblationRequest): AblationAttribution =>
  drain(ablationAttributionSteps(model, request));

/** The same, and exact ablation of the strongest `check` parts of every kind, the largest |change| first. Cost: that of both. */
export function* checkedAblationSteps(
  model: Model,
  request: AblationRequest,
  check: number,
): Generator<Progress<AblationAttribution>, AblationAttribution, void> {
  const parts = ablationPlan(model, request).removals.map(({ components: [first] }) => first);
  const most = kindsOf(parts).reduce((sum, runs) => sum + Math.min(check, runs.length), 0);
  let before = 0;
  const found = yield* through(ablationAttributionSteps(model, request), (step) => {
    before = step.total;
    return beforeChecks(most)(step);
  });
  const { components, base } = found;
  const kinds = kindsOf(components);
  const chosen = kinds.map((own) => {
    const values = Float64Array.from(own, (run) => components[run].value);
    return strongestOf(values, base.value, check).map((at) => own[at]);
  });
  const runs = chosen.flat().sort((a, b) => a - b);
  if (runs.length === 0) return found;
  const asked = new Set(runs);
  const exact = yield* through(
    chosenAblationSteps(model, request, (run) => asked.has(run)),
    duringChecks(before, most, found),
  );
  const values = new Map(runs.map((run, k) => [run, exact.components[k].value]));
  const agreement = kinds.map(([first], k) => {
    const cells = chosen[k].map((run): CheckedPart => {
      const { value: estimated, change: _, ...part } = components[run];
      return { ...part, estimated, exact: values.get(run) as number };
    });
    return agreementOf(kindOf(components[first]), cells, base.value);
  });
  return { ...found, agreement };
}

/** {@link checkedAblationSteps} in one go. */
export const checkedAblation = (model: Model, request: AblationRequest, check: number): AblationAttribution =>
  drain(checkedAblationSteps(model, request, check));

/** Parts that are compared with each other. */
const kindOf = ({ unit, mixer }: Component): string =>
  unit === 'mixer' ? (mixer as string) : mixer ? `${mixer}.${unit}` : unit;

/** Places of the parts of every kind, kind by kind. */
function kindsOf(parts: readonly Component[]): number[][] {
  const kinds = new Map<string, number[]>();
  parts.forEach((part, run) => {
    const kind = kindOf(part);
    const own = kinds.get(kind);
    if (own) own.push(run);
    else kinds.set(kind, [run]);
  });
  return [...kinds.values()];
}

/** First-order change by replacing each part at every token by itself. */
function changesIn(
  model: Model,
  { layer, behind, gradients, seen }: BlockBehind,
  components: readonly Component[],
  replaced: Replacements,
): [Component, Float64Array][] {
  const isAdded = !isHybrid(model.config.blocks[layer]);
  const deltas = new Map<string, Float32Array>();
  return components.map((component) => {
    const { name, channels } = placeOf(model, component);
    const { shape, data } = seen.get(name) as Captured;
    const width = shape[2];
    const delta = deltas.get(name) ?? differenceTo(replaced(name, width), data);
    deltas.set(name, delta);
    const whole = component.unit === 'block' && isAdded;
    return [component, whole ? behind.of(delta) : weighed(delta, gradients.get(name) as Float32Array, width, channels)];
  });
}

/** What stands in, [1,L,W] or [1,1,W], less what was there [L,W]. */
const differenceTo = (replacement: ReturnType<Replacements>, own: Float32Array): Float32Array =>
  tidied(() => {
    const values = replacement.dataSync() as Float32Array;
    replacement.dispose();
    return own.map((value, at) => values[at % values.length] - value);
  });
