import { InputError } from '@/lib/checkpoint/types';
import { type ClassSpans, TOKEN_CLASSES, type TokenClass, tokenClasses } from '@/lib/vocabulary';
import type { Span } from '../span';
import { requireSpan } from './alignment';

/** Tokens that are taken together: spans in order that do not touch. */
export type TokenSet = readonly Span[];

/** What the columns of a grid are; at most one of the two. */
export interface ColumnRequest {
  /** Token spans, each taken as a whole. */
  readonly spans?: readonly Span[];
  /** Classes of tokens, each taken as a whole, as these spans make them up to the token that is read. */
  readonly classes?: ClassSpans;
}

/** All tokens of one class. */
export interface ClassColumn {
  readonly class: TokenClass;
  readonly spans: TokenSet;
}

export interface Columns {
  readonly sets: readonly TokenSet[];
  /** From the first to the last token of each. */
  readonly spans: readonly Span[];
  /** Where columns are classes: which, and of what tokens, in the order of {@link TOKEN_CLASSES}. */
  readonly classes?: readonly ClassColumn[];
}

/** What is said to who gives both. */
export const EITHER = 'Columns are spans or classes of tokens: give one of the two.';

/** What a result says of its columns. */
export const columnsSaid = ({ spans, classes }: Columns) => ({ spans, ...(classes && { classes }) });

/**
 * The columns of a request over `length` tokens up to the one that is read; without spans and classes every token by itself.
 * @throws InputError for a span that is not within them
 */
export function columnsOf({ spans, classes }: ColumnRequest, length: number, what = 'prompt'): Columns {
  if (spans && classes) throw new InputError(EITHER);
  if (classes) {
    requireClasses(classes, length, what);
    return classColumns(tokenClasses(length, classes));
  }
  for (const span of spans ?? []) requireSpan(`${what} up to the position that is read`, span, length);
  return spanColumns(spans ?? Array.from({ length }, (_, t): Span => [t, t + 1]));
}

export const spanColumns = (spans: readonly Span[]): Columns => ({ sets: spans.map((span) => [span]), spans });

/** A column a class that has tokens. @param names of every token; undefined for one that is in none */
export function classColumns(names: readonly (TokenClass | undefined)[]): Columns {
  const classes = TOKEN_CLASSES.map((name): ClassColumn => ({ class: name, spans: runsOf(names, name) })).filter(
    ({ spans }) => spans.length > 0,
  );
  return {
    classes,
    sets: classes.map(({ spans }) => spans),
    spans: classes.map(({ spans }): Span => [spans[0][0], spans[spans.length - 1][1]]),
  };
}

function runsOf(names: readonly (TokenClass | undefined)[], name: TokenClass): Span[] {
  const runs: [number, number][] = [];
  names.forEach((each, t) => {
    if (each !== name) return;
    const last = runs[runs.length - 1];
    if (last?.[1] === t) last[1] = t + 1;
    else runs.push([t, t + 1]);
  });
  return runs;
}

/** @throws InputError for a span of a class that begins after the token that is read, or is none. */
export function requireClasses({ needle, competing = [], question = [] }: ClassSpans, L: number, what: string): void {
  for (const [name, spans] of Object.entries({ needle: needle ? [needle] : [], competing, question }))
    for (const [start, end] of spans)
      if (!(start >= 0 && start < end && start < L))
        throw new InputError(
          `The ${name} [${start}, ${end}) is no span of the ${what}, which has ${L} tokens up to the one that is read: give [start, end) in tokens.`,
        );
}

/** Tokens of a set. */
export const sizeOf = (set: TokenSet): number => set.reduce((sum, [start, end]) => sum + end - start, 0);

/**
 * Groups of `window` neighbours among the layers that are chosen, each beginning one layer later; one layer each by default.
 * @throws InputError where there are fewer
 */
export function windowsOf(layers: readonly number[], window = 1): number[][] {
  if (!Number.isInteger(window) || window < 1) throw new InputError(`A window takes 1 layer or more, not ${window}.`);
  if (window > layers.length)
    throw new InputError(
      `A window of ${window} layers does not fit: ${layers.length} ${layers.length === 1 ? 'is' : 'are'} chosen.`,
    );
  return Array.from({ length: layers.length - window + 1 }, (_, first) => layers.slice(first, first + window));
}

export const firstsOf = (windows: readonly (readonly number[])[]): number[] => windows.map(([first]) => first);
