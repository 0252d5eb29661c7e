'use client';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Token } from '@/lib/api/schemas';
import { defaultPair, type Pair } from '@/lib/vocabulary';
import { tokensQuery } from '../data/queries';
import type { View } from '../data/view';
import { differingTokens, pairProblem } from './pair';
import { useCausal } from './settings';

export interface PairState {
  readonly pair: Pair;
  readonly isOwn: boolean;
  /** Tokens of the corrupted prompt as model A reads them, once they are known. */
  readonly tokens: readonly Token[] | undefined;
  /** Tokens of model A that differ. */
  readonly differing: ReadonlySet<number>;
  /** Why the pair cannot be patched, in a sentence. */
  readonly problem: string | undefined;
}

export function useDefaultPair(view: View): Pair {
  const { prompt, candidates, needle } = view.run.request;
  const { target } = view;
  return useMemo(() => defaultPair({ prompt, target, candidates, needle }), [prompt, target, candidates, needle]);
}

/** The foil of all causal tests: the one that was written, else the one of the made pair. */
export function useFoil(view: View): string {
  const made = useDefaultPair(view);
  return useCausal((s) => s.foil) ?? made.foil;
}

/** The clean and the corrupted prompt of the run on the page, checked token by token for every model. */
export function usePair(view: View): PairState {
  const made = useDefaultPair(view);
  const own = useCausal((s) => s.corrupted);
  const foil = useFoil(view);
  const corrupted = own ?? made.corrupted;
  const read = useQueries({ queries: view.models.map(({ name }) => tokensQuery(name, corrupted)) });
  const tokens = read[0]?.data;
  const problem =
    read.find(({ error }) => error)?.error?.message ??
    view.models
      .map((model, k) =>
        pairProblem(model.name, model.tokens.length, read[k]?.data?.length, corrupted === view.run.request.prompt),
      )
      .find((sentence) => sentence !== undefined);
  const differing = useMemo(
    () => (tokens?.length === view.tokens.length ? differingTokens(view.tokens, tokens) : new Set<number>()),
    [tokens, view.tokens],
  );
  const pair = useMemo(() => ({ corrupted, foil }), [corrupted, foil]);
  return { pair, isOwn: own !== null, tokens, differing, problem };
}
