import * as tf from '@tensorflow/tfjs';
import { hookPointsOf, scansAt } from '@/lib/architectures/places';
import { InputError, isDifferential, isHybrid } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type AttributionMetric, type PatchDirection, patchEffect } from '@/lib/vocabulary';
import type { Span } from '../span';
import { drain, type Progress, through } from '../steps';
import { blockGradients, measuredAt } from './attributionGradients';
import { type ScanRun, stateAttribution } from './attributionStates';
import {
  type Added,
  addedBefore,
  addedLast,
  lastRow,
  normPoint,
  sumOver,
  type Way,
  weighed,
  written,
} from './attributionStream';
import { type Budget, blockValues, budgetOf } from './budget';
import { type ClassColumn, columnsSaid, firstsOf, type TokenSet } from './columns';
import { placeOf } from './components';
import { type Baseline, baselineOf, type Captured, captureBlock } from './continuation';
import { requireTokens } from './hookPoints';
import { type PatchPlan, type PatchRequest, patchPlan, rolesOf } from './patchPlan';
import { type PatchWarning, patchWarnings } from './patchWarnings';
import { MIXERS, type Mixer, pointNames } from './points';
import { layersOf, metricOf, type Outline } from './question';

export interface PatchAttributionRequest extends Omit<PatchRequest, 'point' | 'mixer' | 'channels' | 'heads'> {
  /**
   * Kinds of points: hook points with a row per token, `mixer_1` and `mixer_2` (what a branch brings to the subtraction), `hook_h` and
   * `ssm` (states, as exact patching takes them). Default: the residual stream, block outputs, and branches where there are any.
   */
  readonly points?: readonly string[];
  /** Default `logit_difference`, or `target_logit` without a foil. */
  readonly metric?: AttributionMetric;
  /** Points on the way from the one run to the other that gradients are taken at; default 1, the run that receives. */
  readonly steps?: number;
}

/** Estimates of one kind of point. */
export interface AttributedPoint {
  readonly point: string;
  /** First layers of the rows that have it. */
  readonly layers: readonly number[];
  /** The measure as if it were patched, [rows, columns]; NaN where no layer of a row has such a point, or one is not done yet. */
  readonly patched: Float64Array;
}

export interface PatchAttribution {
  readonly direction: PatchDirection;
  readonly metric: AttributionMetric;
  readonly steps: number;
  /** The first layer of every row. */
  readonly layers: readonly number[];
  /** All layers of every row. */
  readonly windows: readonly (readonly number[])[];
  /** Columns; of classes from the first to the last token. */
  readonly spans: readonly Span[];
  readonly classes?: readonly ClassColumn[];
  readonly position: number;
  readonly clean: number;
  readonly corrupted: number;
  readonly points: readonly AttributedPoint[];
  readonly cautions: readonly PatchWarning[];
}

interface AttributionPlan extends PatchPlan {
  readonly points: readonly string[];
  readonly metric: AttributionMetric;
  readonly steps: number;
}

const STATES = /^(?:(mixer_[12])\.)?(hook_h|ssm)$/;
/** Formed only by a recurrence in the open, whose tape would hold a state a token. */
const IN_THE_OPEN = /(^|\.)hook_[AB]_bar$/;
const MOST_STEPS = 64;

/** Memory of an attribution, before it runs. @throws InputError where the request does not fit the model. */
export const attributionBudget = (model: Outline, request: PatchAttributionRequest): Budget =>
  attributionPlan(model, request).budget;

/**
 * Attribution patching (Nanda 2023; Kramár et al., arXiv 2403.00745): an estimate of every {@link patchGrid} at once. The run that
 * receives is followed back once, block by block, and the difference between the two runs at each point and token is weighed with the gradient:
 *
 *     patched ≈ m + Σ_c (a_source − a_own)[t,c] ∂m/∂a[t,c]
 *
 * A window of layers is the sum of its layers: what one of them passes on through the next counts with both. The residual stream, which every
 * layer passes on whole, therefore has no windows.
 *
 * What is added to the residual stream is followed exactly through the next RMS norm, which is flat along the stream, and only behind it to first
 * order: g_u · (norm(h + δ) − norm(h)) + g_h⁺ · δ. At the last token behind the last block the measure itself is taken. `steps` > 1 takes the mean
 * gradient over runs whose embeddings lie between both prompts (integrated gradients; Hanna et al., arXiv 2403.17806): where softplus, SiLU,
 * gates and norms are saturated, the slope at one end says little.
 *
 * Cost: a forward pass of each prompt, then for every step each block once more and back: about four forward passes with one step. Kinds other than
 * streams and block outputs run every block of both prompts once more, however many steps there are; states add {@link stateAttribution}. Memory: the
 * residual streams of both runs and of every step between them, and the activations of one block.
 * Yields after every block; stop early with `return()`.
 * @throws InputError as {@link patchGrid}, and for a measure that has no slope.
 */
export function* attributionPatchSteps(
  model: Model,
  request: PatchAttributionRequest,
): Generator<Progress<PatchAttribution>, PatchAttribution, void> {
  const plan = attributionPlan(model, request);
  const { direction, windows, sets, position, points, metric, steps } = plan;
  const layers = [...new Set(windows.flat())];
  const roles = rolesOf(request);
  const source = baselineOf(model, roles.source.tokens, plan.sourcePosition);
  const receiver = baselineOf(model, roles.receiver.tokens, position);
  const clean = direction === 'denoise' ? source : receiver;
  const question = { ...request, metric };
  const measured = (run: Baseline) => measuredAt(model, lastRow(run, model.config.d), question, clean.logits).value;
  const values = { clean: measured(clean), corrupted: measured(direction === 'denoise' ? receiver : source) };
  const start = direction === 'denoise' ? values.corrupted : values.clean;
  const found = points.map((point) => ({
    point,
    layers: layers.filter((layer) => hasPoint(model, layer, point)),
    changes: new Float64Array(layers.length * sets.length).fill(Number.NaN),
  }));
  const result = (): PatchAttribution => ({
    direction,
    metric,
    steps,
    layers: firstsOf(windows),
    windows,
    ...columnsSaid(plan),
    position,
    ...values,
    points: found.map(({ point, layers: having, changes }) => {
      const own = windows.map((window) => window.filter((layer) => having.includes(layer)));
      return {
        point,
        layers: firstsOf(windows.filter((_, row) => own[row].length > 0)),
        patched: Float64Array.from({ length: windows.length * sets.length }, (_, k) => {
          const there = own[Math.floor(k / sets.length)];
          const change = (layer: number) => changes[layers.indexOf(layer) * sets.length + (k % sets.length)];
          return there.length === 0 ? Number.NaN : there.reduce((sum, layer) => sum + change(layer), start);
        }),
      };
    }),
    cautions: patchWarnings(request, plan, { [metric]: values }),
  });
  const { blocks } = model.config;
  const ahead = steps === 1 ? 0 : steps;
  const total = ahead + blocks.length - layers[0];
  const ways: Way[] = ahead === 0 ? [receiver] : [];
  for (let step = 0; step < ahead; step++) {
    ways.push(between(model, { source, receiver, counterpart: plan.counterpart }, (step + 0.5) / steps));
    yield { done: step + 1, total, result: result() };
  }
  let behind = ways.map((way) => addedLast(model, receiver, way, question, clean.logits));
  for (let layer = blocks.length - 1; layer >= layers[0]; layer--) {
    const row = layers.indexOf(layer);
    const asked = row < 0 ? [] : found.filter(({ layers: having }) => having.includes(layer));
    const told = new Map<string, SetValues>();
    const runs = { source, receiver, ways };
    behind = attributed(model, runs, plan, layer, behind, new Set(asked.map(({ point }) => point)), told);
    for (const { point, changes } of asked) {
      const of = told.get(point) as SetValues;
      sets.forEach((set, column) => {
        changes[row * sets.length + column] = of(set);
      });
    }
    yield { done: ahead + blocks.length - layer, total, result: result() };
  }
  return result();
}

/** {@link attributionPatchSteps} in one go. */
export const attributionPatch = (model: Model, request: PatchAttributionRequest): PatchAttribution =>
  drain(attributionPatchSteps(model, request));

/** Effects of one kind of point, [layers, spans], as {@link patchEffect} has them. */
export const attributedEffects = ({ patched }: AttributedPoint, of: PatchAttribution): Float64Array =>
  patched.map((value) => patchEffect(value, of, of.direction));

/** First-order change of the measure by patching a set of tokens. */
type SetValues = (set: TokenSet) => number;

type Runs = Readonly<Record<'source' | 'receiver', Baseline>> & { readonly ways: readonly Way[] };

/**
 * Follows the measure back through one block along every way, and tells what patching each of these points does, in the mean. What the two
 * prompts had there is made once.
 * @returns the same for what enters the block
 */
function attributed(
  model: Model,
  { source, receiver, ways }: Runs,
  { counterpart }: AttributionPlan,
  layer: number,
  behind: readonly Added[],
  points: ReadonlySet<string>,
  told: Map<string, SetValues>,
): Added[] {
  const { d, blocks } = model.config;
  const block = blocks[layer];
  const { L } = receiver;
  const aligned = (from: Captured | Float32Array, to: Captured | Float32Array, width: number) =>
    differenceOf(valuesIn(from), valuesIn(to), width, counterpart);
  const stateful = [...points].flatMap((point) => scansOfState(layer, block, point));
  // What a block with attention or an MLP writes there is not all that it adds to the stream.
  const isAdded = points.has('hook_out_proj') && !isHybrid(block);
  const rowed = [...points].filter(
    (point) => !STATES.test(point) && point !== 'hook_resid_pre' && !(isAdded && point === 'hook_out_proj'),
  );
  const inputs = [...new Set(stateful.flatMap((scan) => SCAN_POINTS.map(scan.at)))];
  const places = new Map(rowed.map((point) => [point, placesOf(model, layer, point)]));
  const placed = [...places.values()].flat().map(({ name }) => name);
  const names = [...new Set([...placed, ...inputs])];
  const from = names.length > 0 ? captureBlock(model, source, layer, names) : new Map<string, Captured>();
  const to = names.length > 0 ? captureBlock(model, receiver, layer, names) : from;
  const followed = [...new Set([normPoint(layer), ...placed, ...stateful.map((scan) => scan.at('y'))])];

  const own = receiver.streams[layer];
  const means = new Map<string, Float64Array>();
  const tell = (point: string, changes: Float64Array) => {
    const sums = means.get(point) ?? new Float64Array(L);
    means.set(
      point,
      sums.map((sum, t) => sum + changes[t] / ways.length),
    );
  };
  const gradients: ReadonlyMap<string, Float32Array>[] = [];
  const added = ways.map((way, k): Added => {
    const found = blockGradients(model, layer, way.streams[layer], behind[k].gradient, { points: followed });
    const gradient = (name: string) => found.gradients.get(name) as Float32Array;
    gradients.push(new Map(stateful.map((scan) => [scan.at('y'), gradient(scan.at('y'))])));
    for (const [point, parts] of places)
      for (const { name, channels } of parts) {
        const [a, b] = [from.get(name) as Captured, to.get(name) as Captured];
        const width = b.data.length / L;
        tell(point, weighed(aligned(a, b, width), gradient(name), width, channels));
      }
    if (isAdded) tell('hook_out_proj', behind[k].of(aligned(written(source, layer), written(receiver, layer), d)));
    const enters = addedBefore(model, layer, own, found, behind[k]);
    if (points.has('hook_resid_pre')) tell('hook_resid_pre', enters.of(aligned(source.streams[layer], own, d)));
    return enters;
  });
  for (const [point, changes] of means) told.set(point, (set) => sumOver(changes, set));

  if (stateful.length === 0) return added;
  const kept = ways.map((way) => (way === receiver ? to : captureBlock(model, way, layer, inputs)));
  for (const point of points) {
    const scans = scansOfState(layer, block, point);
    if (scans.length === 0) continue;
    const found = scans.map((scan) => {
      const own = runOf(scan.at, to);
      const along = ways.map((way, k) => ({
        along: way === receiver ? own : runOf(scan.at, kept[k]),
        gradient: gradients[k].get(scan.at('y')) as Float32Array,
      }));
      return stateAttribution({ source: runOf(scan.at, from), own, along }, counterpart, block.mixer);
    });
    const alone = point.endsWith('ssm');
    // A set of states is one span: see attributionPlan.
    told.set(point, ([[begin, end]]) =>
      found.reduce((sum, { now, later }) => {
        let reads = later[end - 1];
        if (!alone) for (let t = begin; t < end; t++) reads += now[t];
        return sum + reads;
      }, 0),
    );
  }
  return added;
}

const SCAN_POINTS = ['ssm_input', 'delta', 'A', 'B', 'C', 'y'] as const;

/** The scans whose states a point stands for; none where it is no state. */
function scansOfState(layer: number, block: Model['config']['blocks'][number], point: string) {
  const [, mixer] = STATES.exec(point) ?? [];
  return STATES.test(point) ? scansAt(layer, block, mixer as Mixer | undefined) : [];
}

const runOf = (at: (point: string) => string, kept: ReadonlyMap<string, Captured>): ScanRun => {
  const of = (point: string) => kept.get(at(point)) as Captured;
  return { x: of('ssm_input'), delta: of('delta'), A: of('A'), B: of('B'), C: of('C') };
};

/** Where a kind of point is in a layer: hook points, and channels of their last axis (all where absent). */
function placesOf(model: Outline, layer: number, point: string) {
  const mixer = MIXERS.find((each) => each === point);
  if (mixer) return [placeOf(model, { layer, unit: 'mixer', mixer })];
  const known = hookPointsOf(model.config.blocks[layer]);
  return pointNames(layer, point)
    .filter((name) => known.has(name.slice(`blocks.${layer}.`.length)))
    .map((name) => ({ name, channels: undefined }));
}

const valuesIn = (from: Captured | Float32Array): Float32Array => (from instanceof Float32Array ? from : from.data);

/** source − own, token by token; 0 where a token has no counterpart. */
function differenceOf(from: Float32Array, to: Float32Array, width: number, counterpart: Int32Array): Float32Array {
  const difference = new Float32Array(counterpart.length * width);
  counterpart.forEach((place, t) => {
    if (place < 0) return;
    for (let c = 0; c < width; c++) difference[t * width + c] = from[place * width + c] - to[t * width + c];
  });
  return difference;
}

/** A run whose embeddings are `share` of the way from the receiving prompt to the source. */
function between(
  model: Model,
  {
    source,
    receiver,
    counterpart,
  }: { readonly source: Baseline; readonly receiver: Baseline; readonly counterpart: Int32Array },
  share: number,
): Pick<Baseline, 'streams' | 'L'> {
  const { d } = model.config;
  const own = receiver.streams[0];
  const gap = differenceOf(source.streams[0], own, d, counterpart);
  return streamsFrom(
    model,
    own.map((value, k) => value + share * gap[k]),
  );
}

/** Residual streams of the blocks over an embedding [L,d]. */
function streamsFrom(model: Model, embedded: Float32Array): Pick<Baseline, 'streams' | 'L'> {
  const { d } = model.config;
  const L = embedded.length / d;
  const streams = [embedded];
  const start = tf.tensor3d(embedded, [1, L, d]);
  const last = drain(
    through(model.blocksFrom(start, 0), ({ residual }) => {
      streams.push((residual.dataSync() as Float32Array).slice());
    }),
  );
  tf.dispose([start, last]);
  return { streams, L };
}

/** @throws InputError */
function attributionPlan(model: Outline, request: PatchAttributionRequest): AttributionPlan {
  const { window = 1, metric = metricOf(request), steps = 1 } = request;
  const points = request.points ?? pointsOf(model, layersOf(model, request.layers), window);
  const plan = patchPlan(model, { ...request, point: 'hook_resid_pre' });
  if (metric === 'logit_difference' && request.foil === undefined)
    throw new InputError('The metric logit_difference is target minus foil: give a foil.');
  if (metric === 'kl' && plan.direction === 'noise' && steps === 1)
    throw new InputError(
      'KL from the clean run has no slope at the clean run: take another metric, denoise, or more steps.',
    );
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new InputError(`An attribution takes 1 to ${MOST_STEPS} steps, not ${steps}.`);
  for (const point of points) requireAttributed(model, [...new Set(plan.windows.flat())], point);
  if (window > 1 && points.includes('hook_resid_pre'))
    throw new InputError(
      'The residual stream that enters a layer holds what entered the one before, so that estimates of a window would count it again: leave hook_resid_pre out, or patch it exactly.',
    );
  const L = Math.max(plan.position, plan.sourcePosition) + 1;
  const { d, V, blocks } = model.config;
  const states = points.some((point) => STATES.test(point));
  if (states && plan.sets.some((set) => set.length > 1))
    throw new InputError(
      'Attribution of a state is known for a span without gaps, and a class has several: take spans, or patch the state exactly.',
    );
  const budget = budgetOf(model.config, {
    L,
    wanted: 1,
    prompts: 2 + (steps > 1 ? steps : 0),
    extra: {
      // What both runs had at the points asked for, and the states of one channel.
      fixed:
        2 * blockValues(model.config, L) +
        (states ? 4 * L * Math.max(...blocks.map(({ mixer }) => mixer.N)) + steps * blockValues(model.config, L) : 0) +
        4 * L * d,
      // The tape of one block, the gradients of it, and of the unembedding.
      perRow: 2 * blockValues(model.config, L) + 4 * V,
    },
    limit: request.memory,
  });
  return { ...plan, points, metric, steps, budget };
}

/** The residual stream but for windows, block outputs, and branches where there are any. */
const pointsOf = ({ config }: Outline, layers: readonly number[], window: number): string[] => [
  ...(window === 1 ? ['hook_resid_pre'] : []),
  'hook_out_proj',
  ...(layers.some((layer) => isDifferential(config.blocks[layer])) ? MIXERS : []),
];

/** Whether a layer has this kind of point. */
export function hasPoint(model: Outline, layer: number, point: string): boolean {
  const block = model.config.blocks[layer];
  if (MIXERS.some((mixer) => mixer === point)) return isDifferential(block);
  const [, mixer] = STATES.exec(point) ?? [];
  if (STATES.test(point)) return scansAt(layer, block, mixer as Mixer | undefined).length > 0;
  return placesOf(model, layer, point).length > 0;
}

/** @throws InputError where no layer has the point, or no gradient can be taken there. */
function requireAttributed(model: Outline, layers: readonly number[], point: string): void {
  if (point === 'conv' || IN_THE_OPEN.test(point))
    throw new InputError(`There is no attribution for ${point}: patch it exactly, or choose another point.`);
  requireTokens(point);
  if (!layers.some((layer) => hasPoint(model, layer, point)))
    throw new InputError(`No layer that was chosen has a point ${point}: see docs/hooks.md for their names.`);
}
