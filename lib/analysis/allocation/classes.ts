import { InputError } from '@/lib/checkpoint/types';
import { TOKEN_CLASSES, type TokenClass, tokenClasses } from '@/lib/vocabulary';
import type { Span } from '../span';

/** Which tokens are what, as spans [start, end) of tokens; what is in none is filler. */
export interface TokenSpans {
  readonly needle: Span;
  readonly competing?: readonly Span[];
  readonly question?: readonly Span[];
}

/** Place of each class in {@link TOKEN_CLASSES}. */
export const CLASS = Object.fromEntries(TOKEN_CLASSES.map((name, place) => [name, place])) as Record<
  TokenClass,
  number
>;

/**
 * {@link tokenClasses}, each as its place in {@link TOKEN_CLASSES}.
 * @param L tokens up to and including the read-out token i = L − 1
 * @throws InputError for a span that is empty or begins after the read-out token.
 */
export function classesOf(L: number, { needle, competing = [], question = [] }: TokenSpans): Uint8Array {
  for (const [name, spans] of Object.entries({ needle: [needle], competing, question }))
    for (const [start, end] of spans)
      if (!(start >= 0 && start < end && start < L))
        throw new InputError(
          `The ${name} [${start}, ${end}) is no span of the ${L} tokens up to the one that is read: give [start, end) in tokens.`,
        );
  return Uint8Array.from(tokenClasses(L, { needle, competing, question }), (name) => CLASS[name]);
}

/** How many tokens each class has. */
export function countsOf(classes: Uint8Array): Float64Array {
  const counts = new Float64Array(TOKEN_CLASSES.length);
  for (const place of classes) counts[place] += 1;
  return counts;
}

/** What is to be said where what competes was found in a model's prompts, not given. */
export const foundNote = (model: string, found: number, n: number): string =>
  `Of ${found} of ${n} examples, what competes in ${model} was found: the sentences that name another candidate. Say it as "classes": {"competing": [[start, end]]}.`;
