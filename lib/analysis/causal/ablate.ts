import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import type { Span } from '../span';
import { drain, type Progress } from '../steps';
import { type Budget, budgetOf } from './budget';
import { type ClassColumn, type ColumnRequest, type Columns, columnsOf, sizeOf, windowsOf } from './columns';
import { type Component, componentsOf, placeOf, type Unit } from './components';
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

/** Components are replaced at the tokens of spans or of classes, each by itself; default: at every token at once. */
export interface AblationRequest extends PromptQuestion, ColumnRequest {
  readonly candidates?: readonly number[];
  readonly unit: Unit;
  /** What a component's output is replaced by. */
  readonly method: Method;
  /** Prompts that `mean` and `resample` are taken from, aligned at their last token; they cannot do without. */
  readonly reference?: Reference;
  /** Of `resample`; equal seeds draw equal tokens. Default 0. */
  readonly seed?: number;
  readonly mixer?: Mixer;
  readonly layers?: readonly number[];
  /** Layers that follow each other among those chosen and whose blocks or mixers are replaced together; default 1. */
  readonly window?: number;
}

/** What was replaced: the component of its `layer` and, in a window, that of the others, at all tokens where none are said. */
export interface AblatedPart extends Component {
  /** All layers of a window, `layer` the first. */
  readonly layers?: readonly number[];
  /** Tokens; of a class from the first to the last. */
  readonly span?: Span;
  readonly class?: ClassColumn['class'];
  /** How many they are. */
  readonly tokens?: number;
}

export interface Ablated extends AblatedPart, Removed {}

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

/** One run: the component of every layer of a window, at some tokens. */
export interface Removal {
  readonly components: readonly Component[];
  /** Index into the columns; −1 for all tokens. */
  readonly column: number;
}

export interface AblationPlan {
  /** In the order of their first layer. */
  readonly removals: readonly Removal[];
  /** Undefined for all tokens. */
  readonly columns: Columns | undefined;
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
export const ablationSteps = (model: Model, request: AblationRequest): Generator<Progress<Ablation>, Ablation, void> =>
  chosenAblationSteps(model, request, () => true);

/** {@link ablationSteps} of some runs alone, by their place among all. */
export function* chosenAblationSteps(
  model: Model,
  request: AblationRequest,
  chosen: (run: number) => boolean,
): Generator<Progress<Ablation>, Ablation, void> {
  const plan = ablationPlan(model, request);
  const { columns, position, budget } = plan;
  const removals = plan.removals.filter((_, run) => chosen(run));
  const baseline = baselineOf(model, request.tokens, position);
  const base = readingOf(baseline.logits, baseline.logits, request);
  const fixed = { metric: metricOf(request), position, reference: usedOf(plan.reference), base };
  const done: Ablated[] = [];
  const result = (): Ablation => ({ ...fixed, components: [...done] });
  const firsts = [...new Set(removals.map(firstOf))];
  const groups = firsts.map((first) => removals.filter((removal) => firstOf(removal) === first));
  const last = Math.max(...removals.flatMap(({ components }) => components.map(({ layer }) => layer)));
  const total = groups.reduce(
    (sum, parts) => sum + 2 * blocksToRun(model, [firstOf(parts[0])], parts.length, budget.rows),
    referenceBlocks(plan.reference, last) + frozenBlocks(model.config, firsts[0]),
  );
  const batches = ablationBatches(model, {
    groups,
    plan,
    baseline,
    runs: plan.reference && new ReferenceRuns(model, plan.reference, request.seed),
    receive: (removal, plain, frozen) => {
      done.push({ ...ablatedPart(removal, columns), ...removedOf(plain, frozen, baseline.logits, request) });
    },
  });
  for (const step of sweep(model, baseline, batches, total)) yield { ...step, result: result() };
  return result();
}

/** {@link ablationSteps} in one go. */
export const ablation = (model: Model, request: AblationRequest): Ablation => drain(ablationSteps(model, request));

const firstOf = ({ components }: Removal): number => components[0].layer;

/** What a result says of one run. */
export function ablatedPart({ components, column }: Removal, columns: Columns | undefined): AblatedPart {
  const layers = components.map(({ layer }) => layer);
  return {
    ...components[0],
    ...(layers.length > 1 && { layers }),
    ...(columns &&
      column >= 0 && {
        span: columns.spans[column],
        tokens: sizeOf(columns.sets[column]),
        ...(columns.classes && { class: columns.classes[column].class }),
      }),
  };
}

interface BatchInputs {
  readonly groups: readonly (readonly Removal[])[];
  readonly plan: AblationPlan;
  readonly baseline: Baseline;
  readonly runs: ReferenceRuns | undefined;
  readonly receive: (removal: Removal, plain: Float32Array, frozen: Float32Array) => void;
}

function* ablationBatches(
  model: Model,
  { groups, plan: { columns, budget }, baseline, runs, receive }: BatchInputs,
): Generator<Batch | typeof STEP, void, void> {
  const norms = yield* FrozenNorms.of(model, baseline, firstOf(groups[0][0]));
  const everything = [[0, baseline.L]] as const;
  // References are read once, layer after layer; a layer is in as many windows as they are long.
  const known = new Map<number, { readonly names: readonly string[]; readonly values: Replacements }>();
  for (const removals of groups) {
    const first = firstOf(removals[0]);
    for (const layer of known.keys()) if (layer < first) known.delete(layer);
    const components = removals.flatMap((removal) => removal.components);
    for (const layer of new Set(components.map((component) => component.layer))) {
      if (known.has(layer)) continue;
      const names = [
        ...new Set(components.filter((each) => each.layer === layer).map((each) => placeOf(model, each).name)),
      ];
      known.set(layer, { names, values: runs ? yield* runs.at(layer, names) : zeros });
    }
    for (const { part } of inBatches(removals, budget.rows)) {
      const places = part.map((removal) => ({
        at: new Map(
          removal.components.map((each) => {
            const { name, channels } = placeOf(model, each);
            return [name, channels] as const;
          }),
        ),
        tokens: columns && removal.column >= 0 ? columns.sets[removal.column] : everything,
      }));
      const hooks = [...known.values()].flatMap(({ names, values }) =>
        names.map((name): Hook => {
          const regions = places.map(({ at, tokens }) => ({
            positions: at.has(name) ? tokens : [],
            channels: at.get(name),
          }));
          return [
            name,
            (value) => tf.tidy(() => replaceRegions(value, values(name, value.shape[2] as number), regions)),
          ];
        }),
      );
      yield* bothWays({ first, rows: part.length, hooks }, norms, (plain, frozen) => {
        for (const [k, removal] of part.entries()) receive(removal, rowOf(plain, model, k), rowOf(frozen, model, k));
      });
    }
  }
}

/** @throws InputError */
export function ablationPlan(model: Outline, request: AblationRequest): AblationPlan {
  requireQuestion(model, request);
  for (const target of request.candidates ?? []) requireQuestion(model, { target });
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const components = componentsOf(model, request.unit, layersOf(model, request.layers), request.mixer);
  const columns = request.spans || request.classes ? columnsOf(request, position + 1) : undefined;
  const groups = windowedComponents(components, request);
  const removals = groups.flatMap((each): Removal[] =>
    columns ? columns.sets.map((_, column) => ({ components: each, column })) : [{ components: each, column: -1 }],
  );
  const reference = referencePlan(
    request.method,
    request.reference,
    request.tokens.slice(0, position + 1),
    model.config.V,
  );
  const wanted = Math.max(
    ...groups.map(([{ layer }]) => removals.filter((removal) => firstOf(removal) === layer).length),
  );
  const width = 2 * Math.max(model.config.d, ...model.config.blocks.map(({ mixer }) => mixer.E));
  const budget = budgetOf(model.config, {
    L: longestOf(reference, position + 1),
    wanted,
    prompts: 1,
    limit: request.memory,
    extra: {
      fixed:
        (request.window ?? 1) * referenceSize(reference, model.config.d, width) +
        frozenSize(model.config, position + 1),
    },
  });
  return { removals, columns, position, reference, budget };
}

/**
 * Components that are replaced together: each by itself, or the blocks, or the same mixer, of a window of layers that have one.
 * @throws InputError
 */
function windowedComponents(
  components: readonly Component[],
  { unit, window = 1 }: Pick<AblationRequest, 'unit' | 'window'>,
): Component[][] {
  if (window === 1) return components.map((component) => [component]);
  if (unit === 'head' || unit === 'channel')
    throw new InputError(
      `A window takes whole blocks or mixers: ${unit}s of different layers have nothing in common but their number.`,
    );
  const layers = [...new Set(components.map(({ layer }) => layer))];
  const mixers = [...new Set(components.map(({ mixer }) => mixer))];
  return windowsOf(layers, window).flatMap((group) =>
    mixers.map((mixer) => components.filter((each) => group.includes(each.layer) && each.mixer === mixer)),
  );
}
