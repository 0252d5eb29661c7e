'use client';
import { useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Maybe } from '@/lib/figures/numbers';
import type { Metric } from '../charts/curve';
import { sameWord } from '../charts/tokens';
import { useAnswerIds, useLensKind, useUnknownWords } from '../data/queries';
import { readingOf } from '../data/readings';
import { metricOnAxis } from '../data/series';
import type { View } from '../data/view';
import { type ModelSlot, useSelection } from '../state/selection';
import { useSteady } from '../ui/steady';

/** Words that are traced beside the target. */
export const MOST_OTHERS = 4;

/** A curve of another word than the target. */
export interface OtherLine {
  readonly slot: ModelSlot;
  readonly word: string;
  /** Which of the words: it has its dashes. */
  readonly index: number;
  readonly values: readonly Maybe[];
}

/** Dashes of the words that are traced beside the target. */
export const DASHES = ['7 3', '2 3', '9 3 2 3', '1 5'] as const;

/** What is chosen, without the target itself. */
export const othersOf = (also: readonly string[], target: string): string[] =>
  also.filter((word) => !sameWord(word, target)).slice(0, MOST_OTHERS);

/** The curves of the words that are traced beside the target, and the words that a vocabulary lacks, in a sentence each. */
export function useOtherTargets(
  view: View,
  metric: Metric,
): { lines: readonly OtherLine[]; unknown: readonly string[] } {
  const also = useSelection((s) => s.also);
  const { kind: lens } = useLensKind(view.models);
  const { models, target, layers } = view;
  const asked = useMemo(() => {
    const words = othersOf(also, target);
    return models.flatMap((model) => words.map((word, index) => ({ model, word, index })));
  }, [also, target, models]);
  const pairs = asked.map(({ model, word }) => [model.name, word] as const);
  const ids = useAnswerIds(pairs);
  const unknown = useUnknownWords(pairs);
  const answers = useQueries({
    queries: asked.map(({ model: m }, k) => ({
      ...readingOf(m, 'signal', { model: m.index, position: m.position, target: ids[k], lens }, m.model.mapsReady),
      enabled: m.model.signalReady && ids[k] !== undefined,
    })),
  });
  const signals = useSteady(answers.map(({ data }) => data));
  const lines = useMemo(
    () =>
      asked.flatMap(({ model: { slot }, word, index }, k): OtherLine[] => {
        const signal = signals[k];
        // What a layer reads of the context says nothing of a word.
        if (!signal || metric === 'needle_against_context') return [];
        return [{ slot, word, index, values: metricOnAxis(signal, metric, layers) }];
      }),
    [asked, signals, metric, layers],
  );
  return { lines, unknown: [...new Set(unknown.filter((one) => one !== undefined))] };
}
