import type { Model } from '@/lib/models';
import { TOKEN_CLASSES, type TokenClass } from '@/lib/vocabulary';
import { allocationFrom } from '../allocation/allocation';
import { CLASS, classesOf, type TokenSpans } from '../allocation/classes';
import type { DrawSource } from '../bootstrap';
import { baselineOf } from '../causal/continuation';
import { positionOf } from '../causal/question';
import { drain, type Steps, through } from '../steps';
import { type FaithfulnessRequest, faithfulnessBudget, removedSteps } from './faithfulness';

/** What the answer loses without the tokens of one class. */
export interface ClassRemoval {
  readonly name: TokenClass;
  readonly tokens: number;
  /** Mean over layers of its share of norms, the read-out token's own read left out. */
  readonly share: number;
  /** Watched value without the class − that of the whole prompt. */
  readonly change: number;
  /** The same without as many of the tokens outside the class, mean over draws; NaN where there are not so many. */
  readonly otherChange: number;
  /** Both with every RMS norm dividing as in the untouched pass. */
  readonly frozenNorms: { readonly change: number; readonly otherChange: number };
}

/**
 * Whether what a layer reads most is what the answer rests on: every class of tokens is removed as a source, and so are as
 * many tokens of no such class. Yields after every block. Cost: one allocation, and a forward pass a class and draw.
 * @throws InputError where the request does not fit the model.
 */
export function* classRemovalSteps(
  model: Model,
  request: FaithfulnessRequest & TokenSpans,
  random: DrawSource,
): Generator<Steps, ClassRemoval[], void> {
  const { rows } = faithfulnessBudget(model, request);
  const { draws = 5, watch = 'logit' } = request;
  const position = positionOf(request.position ?? -1, request.tokens.length);
  const pass = baselineOf(model, request.tokens, position);
  const classes = classesOf(position + 1, request);
  const reads = drain(allocationFrom(model, pass, { ...request, position, layers: undefined }));
  const names = TOKEN_CLASSES.filter((name) => name !== 'self' && classes.includes(CLASS[name]));
  const places = (of: (place: number) => boolean) => [...classes.keys()].filter((j) => j < position && of(classes[j]));
  const sets = names.flatMap((name) => {
    const own = places((place) => place === CLASS[name]);
    const others = places((place) => place !== CLASS[name]);
    const drawn =
      others.length < own.length ? [] : Array.from({ length: draws }, () => some(others, own.length, random));
    return [{ name, tokens: own, others: false }, ...drawn.map((tokens) => ({ name, tokens, others: true }))];
  });
  const removed = [[], ...sets.map(({ tokens }) => tokens)];
  const values = yield* through(removedSteps(model, pass, removed, request, rows, watch), (step) => step);
  return names.map((name) => {
    const changes = (others: boolean, from = values.plain) =>
      sets.flatMap((set, k) => (set.name === name && set.others === others ? [from[k + 1] - from[0]] : []));
    const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const share = reads.map(({ net: { norm } }) => {
      const total = norm.reduce((sum, value) => sum + value, 0) - norm[CLASS.self];
      return norm[CLASS[name]] / total;
    });
    return {
      name,
      tokens: places((place) => place === CLASS[name]).length,
      share: mean(share),
      change: changes(false)[0],
      otherChange: mean(changes(true)),
      frozenNorms: { change: changes(false, values.frozen)[0], otherChange: mean(changes(true, values.frozen)) },
    };
  });
}

/** `count` of these, each set equally likely. */
function some(items: readonly number[], count: number, random: DrawSource): number[] {
  const left = [...items];
  return Array.from({ length: count }, () => left.splice(random.integer(0, left.length - 1), 1)[0]);
}
