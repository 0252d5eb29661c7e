import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import type { Watched } from '@/lib/vocabulary';
import type { DrawSource } from '../bootstrap';
import { type Budget, budgetOf } from '../causal/budget';
import { type Batch, baselineOf, inBatches, type STEP, sweep } from '../causal/continuation';
import { bothWays, FrozenNorms, frozenBlocks, frozenSize } from '../causal/frozenNorms';
import { knockoutHooks } from '../causal/knockoutHooks';
import { measure, type Outline, type PromptQuestion, positionOf, requireQuestion, rowOf } from '../causal/question';
import type { Span } from '../span';
import { drain, type Steps, through } from '../steps';
import { type Computed, ORDERS, type Order, scoresOf } from './orders';

export interface FaithfulnessRequest extends PromptQuestion {
  /** Default: all. */
  readonly orders?: readonly Order[];
  readonly watch?: Watched;
  /** Steps of a curve; default 10. */
  readonly points?: number;
  /** Random orders that are averaged; default 5. */
  readonly draws?: number;
}

/** The watched value after 0, 1/points, …, all of the sources have been removed, or given back. */
export interface Curves {
  readonly deletion: Float64Array;
  readonly insertion: Float64Array;
}

/** As the model is, and with every RMS norm dividing as in the untouched pass: a norm blows up what a removal leaves. */
export interface BothCurves extends Curves {
  readonly frozen_norms: Curves;
}

export type CurvesByOrder = ReadonlyMap<Order, BothCurves>;

const POINTS = 10;
const DRAWS = 5;

/** Memory of one prompt, before it runs. @throws InputError where the request does not fit the model. */
export const faithfulnessBudget = (model: Outline, request: FaithfulnessRequest): Budget =>
  planOf(model, request).budget;

/**
 * How well an order of the source tokens says what the answer rests on: the tokens are removed as sources, the first in
 * the order first, and the answer is watched (deletion); and given back in that order to a model that has none of them
 * (insertion). Removed is what any token reads of them in any layer, by scan and convolution, exactly as `knockout` does;
 * norms follow, and are held once more. The read-out token itself stays.
 *
 * Yields after every block that is run. Cost: the maps of the orders, and four forward passes a point and order, batched.
 * @throws InputError where the request does not fit the model.
 */
export function* faithfulnessSteps(
  model: Model,
  request: FaithfulnessRequest,
  random: DrawSource,
): Generator<Steps, CurvesByOrder, void> {
  const { orders, points, draws, position, budget } = planOf(model, request);
  const pass = baselineOf(model, request.tokens, position);
  const computed = orders.filter((order): order is Computed => order !== 'random');
  const depth = model.config.blocks.length;
  const lists = computed.length + (orders.includes('random') ? draws : 0);
  const total = depth + removedBlocks(model, 2 * lists * (points + 1), budget.rows);
  const scores = yield* through(scoresOf(model, pass, request, computed), ({ done }) => ({ done, total }));
  const n = position;
  const rankings = [
    ...computed.map((order) => ({ order: order as Order, ranking: ranked(scores.get(order) as Float64Array) })),
    ...(orders.includes('random')
      ? Array.from({ length: draws }, () => ({ order: 'random' as Order, ranking: shuffled(n, random) }))
      : []),
  ];
  const counts = Array.from({ length: points + 1 }, (_, k) => Math.round((n * k) / points));
  const rows = rankings.flatMap(({ ranking }) => [
    ...counts.map((count) => ranking.slice(0, count)),
    ...counts.map((count) => ranking.slice(count)),
  ]);
  const values = yield* through(
    removedSteps(model, pass, rows, request, budget.rows, request.watch ?? 'logit'),
    ({ done }) => ({ done: depth + done, total }),
  );
  const width = points + 1;
  const found = new Map<Order, BothCurves>();
  for (const order of orders) {
    const own = rankings.flatMap((one, k) => (one.order === order ? [k] : []));
    const curvesOf = (from: Float64Array): Curves => {
      const mean = (start: number) =>
        Float64Array.from(
          { length: width },
          (_, k) => own.reduce((sum, at) => sum + from[2 * at * width + start + k], 0) / own.length,
        );
      return { deletion: mean(0), insertion: mean(width) };
    };
    found.set(order, { ...curvesOf(values.plain), frozen_norms: curvesOf(values.frozen) });
  }
  return found;
}

/** {@link faithfulnessSteps} in one go. */
export const faithfulness = (model: Model, request: FaithfulnessRequest, random: DrawSource): CurvesByOrder =>
  drain(faithfulnessSteps(model, request, random));

/** The watched value without sets of source tokens: as the model is, and with frozen norms. */
export interface Removed {
  readonly plain: Float64Array;
  readonly frozen: Float64Array;
}

/** Blocks that {@link removedSteps} runs. */
const removedBlocks = ({ config }: Outline, sets: number, size: number): number =>
  frozenBlocks(config, 0) + 2 * Math.ceil(sets / size) * config.blocks.length;

/**
 * The watched value of a prompt without each of these sets of source tokens. Yields after every block.
 * @param sets tokens that nothing reads any more, in any layer
 */
export function* removedSteps(
  model: Model,
  pass: ReturnType<typeof baselineOf>,
  sets: readonly (readonly number[])[],
  question: PromptQuestion,
  size: number,
  watch: Watched,
): Generator<Steps, Removed, void> {
  const { blocks } = model.config;
  const values: Removed = { plain: new Float64Array(sets.length), frozen: new Float64Array(sets.length) };
  const all: Span = [0, pass.L];
  function* batches(): Generator<Batch | typeof STEP, void, void> {
    const norms = yield* FrozenNorms.of(model, pass, 0);
    for (const { start, part } of inBatches(sets, size)) {
      const removed = part.map((tokens) => ({ sources: spansOf(tokens), queries: all }));
      const hooks = blocks.flatMap((_, layer) => knockoutHooks(model, layer, removed, { reads: 'block' }));
      yield* bothWays({ first: 0, rows: part.length, hooks }, norms, (plain, frozen) => {
        for (const k of part.keys()) {
          values.plain[start + k] = watched(rowOf(plain, model, k), question, watch);
          values.frozen[start + k] = watched(rowOf(frozen, model, k), question, watch);
        }
      });
    }
  }
  yield* sweep(model, pass, batches(), removedBlocks(model, sets.length, size));
  return values;
}

function watched(logits: Float32Array, question: PromptQuestion, watch: Watched): number {
  if (watch === 'logit') return measure(logits, question);
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0);
  return logits[question.target] - most - Math.log(sum);
}

/** Places in the order of their scores, the largest first; equal ones as they stand in the prompt. */
export const ranked = (scores: Float64Array): number[] =>
  [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);

function shuffled(n: number, random: DrawSource): number[] {
  const places = Array.from({ length: n }, (_, k) => k);
  for (let k = n - 1; k > 0; k--) {
    const other = random.integer(0, k);
    [places[k], places[other]] = [places[other], places[k]];
  }
  return places;
}

const spansOf = (tokens: readonly number[]): Span[] => tokens.map((token): Span => [token, token + 1]);

/** @throws InputError */
function planOf(model: Outline, request: FaithfulnessRequest) {
  requireQuestion(model, request);
  const { orders = ORDERS, points = POINTS, draws = DRAWS } = request;
  const position = positionOf(request.position ?? -1, request.tokens.length);
  if (position === 0)
    throw new InputError('The prompt has one token up to the one that is read: there is no source to remove.');
  const L = position + 1;
  const scans = 3 * Math.max(...model.config.blocks.map(({ mixer: { E, N } }) => E + N));
  const budget = budgetOf(model.config, {
    L,
    wanted: 2 * (orders.length + draws) * (points + 1),
    prompts: 1,
    extra: { fixed: 4 * L * L * model.config.blocks.length + frozenSize(model.config, L), perRow: 2 * scans * L },
    limit: request.memory,
  });
  return { orders, points, draws, position, budget };
}
