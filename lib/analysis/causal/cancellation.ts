import type { Model } from '@/lib/models';
import { logitDirections } from '../direction';
import type { Span } from '../snr';
import { drain, type Progress } from '../steps';
import { requireSpan } from './alignment';
import { branchTerms } from './branchTerms';
import { type Budget, budgetOf } from './budget';
import { type Baseline, baselineOf } from './continuation';
import { differentialLayers } from './lambda';
import { type Outline, type PromptQuestion, positionOf, requireQuestion } from './question';

export interface CancellationRequest extends PromptQuestion {
  /** Without a foil, the target is held against the mean of these, itself left out; without both its logit is read. */
  readonly candidates?: readonly number[];
  /** The tokens that hold the answer, [start, end); all others up to the position are noise. */
  readonly needle: Span;
  /** Default: all differential layers. */
  readonly layers?: readonly number[];
}

/** What a quantity is through branch 1, through λ · branch 2, and through the difference. */
export interface ByBranch<T> {
  readonly first: T;
  readonly second: T;
  readonly difference: T;
}

export interface Form {
  /**
   * Of every source token j, [L]. `logit`: what it adds to the metric through the branch, signed, difference = first − second.
   * `norm`: the length of what it adds to the residual stream, ‖c₁‖, ‖λ c₂‖, ‖c₁ − λ c₂‖.
   */
  readonly sources: ByBranch<Float64Array>;
  /** Σ of magnitudes over the needle, and over all other tokens. */
  readonly needle: ByBranch<number>;
  readonly noise: ByBranch<number>;
  /** needle / (needle + noise). */
  readonly share: ByBranch<number>;
  /** How much of branch 1's magnitude the subtraction takes away, 1 − difference / first; negative where it adds. */
  readonly removed: { readonly needle: number; readonly noise: number };
}

export interface LayerCancellation {
  readonly layer: number;
  readonly lambda: number;
  readonly logit: Form;
  readonly norm: Form;
  /** What no token brings: the logit form's share of convolution and projection biases, first − second. */
  readonly rest: number;
  /** What the block adds to the metric; equals Σ_j logit difference + rest. */
  readonly total: number;
  readonly reconstructionError: number;
}

export interface Cancellation {
  readonly position: number;
  readonly needle: Span;
  /** In the order of layers; those that are done. */
  readonly layers: readonly LayerCancellation[];
}

/** Memory of a cancellation run, before it runs. @throws InputError where the request does not fit the model. */
export const cancellationBudget = (model: Outline, request: CancellationRequest): Budget =>
  planOf(model, request).budget;

/**
 * What the second branch of every differential block takes away from the first (the claim of arXiv 2507.06204), per source
 * token, at the position that is read. The block is the exact operator of equations C4; the metric's direction is that
 * of the unembedding behind the final norm, whose scale stays as it was.
 *
 * Cost: one forward pass, and {@link branchTerms} of each layer. Yields after every layer; stop early with `return()`.
 * @throws InputError where the model has no differential blocks, or the request does not fit it.
 */
export function* cancellationSteps(
  model: Model,
  request: CancellationRequest,
): Generator<Progress<Cancellation>, Cancellation, void> {
  const { layers, position } = planOf(model, request);
  const { needle } = request;
  const baseline = baselineOf(model, request.tokens, position);
  const direction = directionOf(model, baseline, request);
  const done: LayerCancellation[] = [];
  const result = (): Cancellation => ({ position, needle, layers: [...done] });
  for (const layer of layers) {
    done.push(layerCancellation(model, baseline, layer, direction, needle));
    yield { done: done.length, total: layers.length, result: result() };
  }
  return result();
}

/** {@link cancellationSteps} in one go. */
export const cancellation = (model: Model, request: CancellationRequest): Cancellation =>
  drain(cancellationSteps(model, request));

function layerCancellation(
  model: Model,
  baseline: Baseline,
  layer: number,
  direction: Float64Array,
  needle: Span,
): LayerCancellation {
  const { first, second, output, lambda, reconstructionError } = branchTerms(model, baseline, layer);
  if (!second) throw new Error(`Layer ${layer} subtracts nothing.`);
  const { L } = baseline;
  const d = direction.length;
  const perSource = (value: (at: number) => number) => Float64Array.from({ length: L + 1 }, (_, j) => value(j * d));
  const dot = (row: Float32Array, at: number) => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += row[at + c] * direction[c];
    return sum;
  };
  const length = (value: (c: number) => number) => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += value(c) ** 2;
    return Math.sqrt(sum);
  };
  const [one, two] = [perSource((at) => dot(first, at)), perSource((at) => dot(second, at))];
  const logit = { first: one, second: two, difference: one.map((value, j) => value - two[j]) };
  const norm = {
    first: perSource((at) => length((c) => first[at + c])),
    second: perSource((at) => length((c) => second[at + c])),
    difference: perSource((at) => length((c) => first[at + c] - second[at + c])),
  };
  return {
    layer,
    lambda,
    reconstructionError,
    logit: formOf(logit, L, needle),
    norm: formOf(norm, L, needle),
    rest: logit.difference[L],
    total: dot(output, 0),
  };
}

/** @param values [L+1]; the last one belongs to no token. */
function formOf(values: ByBranch<Float64Array>, L: number, [start, end]: Span): Form {
  const each = <T>(make: (values: Float64Array) => T): ByBranch<T> => ({
    first: make(values.first),
    second: make(values.second),
    difference: make(values.difference),
  });
  const mass = (inside: boolean) =>
    each((list) => {
      let sum = 0;
      for (let j = 0; j < L; j++) if ((j >= start && j < end) === inside) sum += Math.abs(list[j]);
      return sum;
    });
  const [needle, noise] = [mass(true), mass(false)];
  const share = (branch: keyof typeof needle) => needle[branch] / (needle[branch] + noise[branch]);
  return {
    sources: each((list) => list.slice(0, L)),
    needle,
    noise,
    share: { first: share('first'), second: share('second'), difference: share('difference') },
    removed: { needle: 1 - needle.difference / needle.first, noise: 1 - noise.difference / noise.first },
  };
}

/** What a vector in the residual stream at the position adds to the metric is its product with this [d]. */
function directionOf(model: Model, { streams, L }: Baseline, request: CancellationRequest): Float64Array {
  const final = streams[streams.length - 1].subarray((L - 1) * model.config.d);
  const [right, ...wrong] = logitDirections(model, final, [request.target, ...wrongAnswers(request)]);
  return right.map((value, c) => value - wrong.reduce((sum, each) => sum + each[c], 0) / Math.max(1, wrong.length));
}

function wrongAnswers({ target, foil, candidates = [] }: CancellationRequest): number[] {
  return foil === undefined ? [...new Set(candidates)].filter((id) => id !== target) : [foil];
}

/** @throws InputError */
function planOf(model: Outline, request: CancellationRequest) {
  requireQuestion(model, request);
  for (const target of request.candidates ?? []) requireQuestion(model, { target });
  const position = positionOf(request.position ?? -1, request.tokens.length);
  requireSpan('prompt up to the position that is read', request.needle, position + 1);
  const layers = differentialLayers(model, request.layers);
  const widest = Math.max(...layers.map((layer) => 6 * model.config.blocks[layer].mixer.E + 6 * model.config.d));
  const L = position + 1;
  const budget = budgetOf(model.config, {
    L,
    wanted: 1,
    prompts: 1,
    limit: request.memory,
    extra: { perRow: 2 * (L + 1) * widest },
  });
  return { layers, position, budget };
}
