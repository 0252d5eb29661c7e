import * as tf from '@tensorflow/tfjs';
import { causalConv1d } from '@/kernels/ops';
import { attentionAt, type PlacedScan, scansAt } from '@/lib/architectures/places';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { rescan } from '../rescan';
import type { Span } from '../span';
import { drain, type Progress, through } from '../steps';
import { tidied } from '../tidied';
import { type Agreement, agreementOf, beforeChecks, duringChecks, strongestOf } from './attributionCheck';
import { type BlockBehind, blocksBehind, sumOver } from './attributionStream';
import { type Budget, blockValues, budgetOf } from './budget';
import { columnsSaid } from './columns';
import { baselineOf, type Captured } from './continuation';
import {
  chosenKnockoutSteps,
  type KnockoutGrid,
  type KnockoutPlan,
  type KnockoutRequest,
  knockoutPlan,
} from './knockout';
import { type Reads, skipWeights } from './knockoutHooks';
import { measure, metricOf, type Outline } from './question';

/** Estimates of a {@link KnockoutGrid}, norms as the model has them. */
export interface KnockoutAttribution extends Omit<KnockoutGrid, 'frozen_norms'> {
  /** Of the reads that were cut, where cells were knocked out as well; else empty. */
  readonly agreement: readonly Agreement[];
}

/** Memory of the estimate, before it runs. @throws InputError where the request does not fit the model. */
export function knockoutAttributionBudget(model: Outline, request: KnockoutRequest): Budget {
  const { position } = knockoutPlan(model, request);
  const { config } = model;
  const L = position + 1;
  const scan = Math.max(...config.blocks.map(({ mixer: { E, N, H, G } }) => 3 * E + H + 2 * N * Math.max(1, G)));
  return budgetOf(config, {
    L,
    wanted: 1,
    prompts: 1,
    // The tape of one block and its gradients, a scan with its gradients and in pieces, and the unembedding with its own.
    extra: { perRow: 2 * blockValues(config, L) + 3 * L * scan + 4 * config.V },
    limit: request.memory,
  });
}

/**
 * An estimate of every cell of {@link knockoutSteps} at once, to first order: what is taken out of the scan's output y_i of the
 * queries i, with the slope of the measure there,
 *
 *     change ≈ − Σ_i Σ_{j ≤ i} ⟨∂m/∂y_i, α[i,j] x_j⟩
 *
 * over the queries i and the sources j of the cell, of every scan (and of attention, with its weights P[i,j]). With Δ, B and C held, y is
 * linear in x, so that the gradient of one scan tells all sources: x_j ⟨∂m/∂x_j⟩ is what all later tokens and j itself read
 * of j. What the tokens of a span read of it themselves is what the scan of the span alone gives, and is taken off again. Windows and
 * layers taken together are the sums of their layers.
 *
 * Cost: a forward pass, then every block from the first layer on forward and back, with two more scans: about four forward
 * passes, however many cells there are. Memory: the residual streams and the activations of one block.
 * Yields after every block; stop early with `return()`.
 * @throws InputError as {@link knockoutSteps}
 */
export function* knockoutAttributionSteps(
  model: Model,
  request: KnockoutRequest,
): Generator<Progress<KnockoutAttribution>, KnockoutAttribution, void> {
  const plan = knockoutPlan(model, request);
  knockoutAttributionBudget(model, request);
  const { layers, spans, tested, position } = plan;
  const baseline = baselineOf(model, request.tokens, position);
  const base = measure(baseline.logits, request);
  const changes = new Map<number, Float64Array>();
  const result = (): KnockoutAttribution => {
    const change = Float64Array.from({ length: layers.length * spans.length }, (_, at) => {
      const [row, column] = [Math.floor(at / spans.length), at % spans.length];
      if (!tested[column]) return Number.NaN;
      return layers[row].reduce((sum, layer) => sum + (changes.get(layer)?.[column] ?? Number.NaN), 0);
    });
    return {
      metric: metricOf(request),
      layers,
      ...columnsSaid(plan),
      tested,
      position,
      base,
      without: change.map((value) => value + base),
      change,
      agreement: [],
    };
  };
  const asked = new Set(layers.flat());
  const first = firstLayer(layers);
  const { reads = 'scan', mixer } = request;
  const question = { ...request, metric: metricOf(request) };
  const pointsAt = (layer: number) => (asked.has(layer) ? pointsOf(model, layer, reads, mixer) : {});
  let done = 0;
  for (const block of blocksBehind(model, baseline, question, first, pointsAt)) {
    if (asked.has(block.layer)) changes.set(block.layer, changesIn(model, block, request, plan));
    done += 1;
    yield { done, total: model.config.blocks.length - first, result: result() };
  }
  return result();
}

const firstLayer = ([row]: KnockoutPlan['layers']): number => row[0];

/** {@link knockoutAttributionSteps} in one go. */
export const knockoutAttribution = (model: Model, request: KnockoutRequest): KnockoutAttribution =>
  drain(knockoutAttributionSteps(model, request));

/** The same, and exact knock-outs of the strongest `check` cells, the largest |change| first. Cost: that of both. */
export function* checkedKnockoutSteps(
  model: Model,
  request: KnockoutRequest,
  check: number,
): Generator<Progress<KnockoutAttribution>, KnockoutAttribution, void> {
  const { layers: rows, tested } = knockoutPlan(model, request);
  const most = Math.min(check, rows.length * tested.filter(Boolean).length);
  const found = yield* through(knockoutAttributionSteps(model, request), beforeChecks(most));
  const { spans, layers, base, without } = found;
  const cells = strongestOf(without, base, check);
  if (cells.length === 0) return found;
  const chosen = new Set(cells);
  const exact = yield* through(
    chosenKnockoutSteps(model, request, (row, column) => chosen.has(row * spans.length + column)),
    duringChecks(model.config.blocks.length - firstLayer(layers), most, found),
  );
  const checked = cells.map((at) => ({
    layer: layers[Math.floor(at / spans.length)][0],
    span: spans[at % spans.length],
    estimated: without[at],
    exact: exact.without[at],
  }));
  return { ...found, agreement: [agreementOf(request.reads ?? 'scan', checked, base)] };
}

/** {@link checkedKnockoutSteps} in one go. */
export const checkedKnockout = (model: Model, request: KnockoutRequest, check: number): KnockoutAttribution =>
  drain(checkedKnockoutSteps(model, request, check));

const INPUTS = ['ssm_input', 'delta', 'A', 'B', 'C'] as const;

/** What the estimate of a layer reads: gradients of outputs of scans and weights of attention, and values behind them. */
function pointsOf(model: Model, layer: number, reads: Reads, mixer: KnockoutRequest['mixer']) {
  const block = model.config.blocks[layer];
  const scans = scansAt(layer, block, mixer);
  const attention = mixer ? undefined : attentionAt(layer, block);
  const patterns = attention ? [attention.at('attn_pattern')] : [];
  const names = reads === 'scan' ? INPUTS : ([...INPUTS, 'in_proj', 'conv'] as const);
  return {
    points: [...scans.map(({ at }) => at('y')), ...patterns],
    watched: [...scans.flatMap(({ at }) => names.map(at)), ...patterns],
  };
}

/** First-order change by every column in one layer. */
function changesIn(
  model: Model,
  { layer, gradients, seen }: BlockBehind,
  { reads = 'scan', mixer, queries = 'later' }: KnockoutRequest,
  { sets, position }: KnockoutPlan,
): Float64Array {
  const block = model.config.blocks[layer];
  const asks: Span =
    queries === 'later' ? [0, position + 1] : queries === 'answer' ? [position, position + 1] : [...queries];
  // Who begins to read only behind a column's first span: its tokens' own reads are taken off again.
  const own = queries === 'later' ? sets.map(([span]) => span) : [];
  const contributions = scansAt(layer, block, mixer).map((scan) =>
    scanReads(model, block.mixer, scan, reads, seen, gradients, asks, own),
  );
  const attention = mixer ? undefined : attentionAt(layer, block);
  if (attention) {
    const name = attention.at('attn_pattern');
    contributions.push(patternReads(seen.get(name) as Captured, gradients.get(name) as Float32Array, asks, own));
  }
  return Float64Array.from(sets, (set, column) =>
    contributions.reduce((sum, { all, within }) => sum - sumOver(all, set) + (within[column] ?? 0), 0),
  );
}

/** Σ ⟨∂m/∂y_i, what y_i has of token j⟩ */
interface Contribution {
  /** Of every source j [L], over all queries. */
  readonly all: Float64Array;
  /** Of each span, over sources and queries in it. */
  readonly within: Float64Array;
}

/** What a scan's output is linear in, and what is held. */
interface LinearRead {
  readonly delta: tf.Tensor;
  readonly A: tf.Tensor;
  readonly B: tf.Tensor;
  readonly C: tf.Tensor;
  /** σ(conv) where the convolution is part of it. */
  readonly slope?: tf.Tensor;
}

function scanReads(
  model: Model,
  mixer: MixerConfig,
  scan: PlacedScan,
  reads: Reads,
  seen: ReadonlyMap<string, Captured>,
  gradients: ReadonlyMap<string, Float32Array>,
  [first, end]: Span,
  spans: readonly Span[],
): Contribution {
  const { E } = mixer;
  const of = (point: string) => {
    const { data, shape } = seen.get(scan.at(point)) as Captured;
    return tf.tensor(data, [...shape]);
  };
  return tidied(() => {
    const [delta, A, B, C] = ['delta', 'A', 'B', 'C'].map(of);
    const u = of(reads === 'scan' ? 'ssm_input' : 'in_proj') as tf.Tensor3D;
    const slope = reads === 'scan' ? undefined : tf.sigmoid(of('conv').slice([0, 0, 0], [-1, -1, E]));
    const L = u.shape[1];
    const weight = model.parameters.get(scan.parameter(`${scan.parameters.conv}.weight`)) as unknown as tf.Tensor3D;
    const kernel = weight.slice([0, 0, 0], [E, -1, -1]);
    const skip = skipWeights(model, mixer, scan);
    /** What u alone gives to the scan's output, and through D where the whole block is meant. */
    const output = (input: tf.Tensor3D, held: LinearRead): tf.Tensor => {
      if (!held.slope) return rescan(held, input);
      const x = held.slope.mul(causalConv1d(input, kernel, null)) as tf.Tensor3D;
      return rescan(held, x).add(x.mul(skip));
    };
    const gradient = tf.tensor3d(gradients.get(scan.at('y')) as Float32Array, [1, L, E]);
    const asking = gradient.mul(indicator(L, first, end)) as tf.Tensor3D;
    const whole = { delta, A, B, C, slope };
    const all = tf
      .grad((input) => output(input as tf.Tensor3D, whole))(u, asking)
      .mul(u)
      .sum(2);
    const within = new Float64Array(spans.length);
    for (const [length, columns] of byLength(spans)) {
      const cut = <T extends tf.Tensor>(x: T): T =>
        pieces(
          x,
          columns.map((column) => spans[column][0]),
          length,
        );
      const held = { A, delta: cut(delta), B: cut(B), C: cut(C), slope: slope && cut(slope) };
      const sums = output(cut(u), held).mul(cut(gradient)).sum([1, 2]).dataSync();
      columns.forEach((column, k) => {
        within[column] = sums[k];
      });
    }
    return { all: Float64Array.from(all.dataSync()), within };
  });
}

/** The same of attention: P[h,i,j] ∂m/∂P[h,i,j], summed over heads. */
function patternReads(
  { data, shape: [, H, L] }: Captured,
  gradient: Float32Array,
  [first, end]: Span,
  spans: readonly Span[],
): Contribution {
  const summed = new Float64Array(L * L);
  for (let h = 0; h < H; h++)
    for (let at = 0; at < L * L; at++) summed[at] += data[h * L * L + at] * gradient[h * L * L + at];
  const sum = (queries: Span, [from, to]: Span) => {
    let all = 0;
    for (let i = queries[0]; i < queries[1]; i++)
      for (let j = from; j < Math.min(to, i + 1); j++) all += summed[i * L + j];
    return all;
  };
  return {
    all: Float64Array.from({ length: L }, (_, j) => sum([first, end], [j, j + 1])),
    within: Float64Array.from(spans, (span) => sum(span, span)),
  };
}

/** 1 within [first, end), [1,L,1]. */
const indicator = (L: number, first: number, end: number): tf.Tensor3D =>
  tf.tensor3d(
    Float32Array.from({ length: L }, (_, t) => (t >= first && t < end ? 1 : 0)),
    [1, L, 1],
  );

/** Columns by the length of their spans. */
function byLength(spans: readonly Span[]): Map<number, number[]> {
  const columns = new Map<number, number[]>();
  spans.forEach(([start, end], column) => {
    columns.set(end - start, [...(columns.get(end - start) ?? []), column]);
  });
  return columns;
}

/** Pieces of a sequence [1,L,…] side by side, [pieces,length,…]. */
function pieces<T extends tf.Tensor>(x: T, starts: readonly number[], length: number): T {
  const rest = x.shape.slice(2);
  const at = starts.flatMap((start) => Array.from({ length }, (_, k) => start + k));
  return tf.gather(x.reshape(x.shape.slice(1)), at).reshape([starts.length, length, ...rest]) as T;
}
