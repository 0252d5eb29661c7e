'use client';
import { keepPreviousData, useQueries } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo } from 'react';
import type { AllocationResult } from '@/lib/api/allocation';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { classesAsked, useAnswerIds, useWholeAnswers } from '../data/queries';
import { readingOf } from '../data/readings';
import type { View } from '../data/view';
import { dropJob, openJob, startJob, useJobs, useJobsOf } from '../state/jobs';
import { setAllocation, useAllocation } from './settings';

type Examples = Extract<AnalysisRequestInput, { kind: 'allocation' }>['examples'];

export const BATCH = 'allocation';

/** What every layer of every model reads in the prompt on the page; an error says why there is none. */
export function useOwnPrompt(view: View, targets: readonly (number | undefined)[], foil: string) {
  const answers = useWholeAnswers(view);
  const foils = useAnswerIds(view.models.map(({ name }) => [name, foil]));
  return useQueries({
    queries: view.models.map((m, k) => {
      const query = {
        model: m.index,
        position: m.position,
        target: targets[k],
        foil: foils[k],
        answer: answers[k]?.map(({ id }) => id),
        ...classesAsked(m),
      };
      return {
        ...readingOf(m, 'allocation', query, m.model.mapsReady),
        // The foil's id belongs to the question: asking before it is known would be asking twice.
        enabled:
          m.needle !== undefined &&
          m.needle[0] <= m.position &&
          m.model.mapsReady === m.layers &&
          targets[k] !== undefined &&
          (foil === '' || foils[k] !== undefined),
        placeholderData: keepPreviousData,
      };
    }),
  });
}

const modelOf = (result: AllocationResult | undefined, name: string) =>
  result?.models.find(({ model }) => model === name);

/** The batch over stories or own prompts, all models of the page in one job; a link opens the one that it names. */
export function useAllocationBatch(view: View) {
  const [job] = useJobsOf([BATCH]);
  const names = useMemo(() => [...new Set(view.models.map(({ name }) => name))], [view.models]);
  const result = job?.result?.kind === 'allocation' ? job.result : undefined;
  useEffect(() => {
    const { batch } = useAllocation.getState();
    if (batch && !useJobs.getState().jobs[BATCH]) openJob(BATCH, batch);
  }, []);
  const start = useCallback(
    async (examples: Examples) => {
      await startJob(BATCH, { kind: 'allocation', models: names, examples });
      setAllocation({ batch: useJobs.getState().jobs[BATCH]?.id ?? '' });
    },
    [names],
  );
  // The last answer that the run keeps, where nothing is shown yet.
  const kept = view.run.analyses
    .filter(({ question }) => question.startsWith(`allocation.${names.join('.')}.`))
    .at(-1)?.id;
  const reopen = (id: string) => {
    openJob(BATCH, id);
    setAllocation({ batch: id });
  };
  const drop = () => {
    dropJob(BATCH);
    setAllocation({ batch: '' });
  };
  const request = job?.request.kind === 'allocation' ? job.request : undefined;
  // A batch of other models says nothing of these.
  const shown = result && view.models.some(({ name }) => modelOf(result, name)) ? result : undefined;
  return {
    job,
    result: shown,
    drop,
    start: (examples: Examples) => void start(examples),
    models: view.models.map(({ name }) => modelOf(shown, name)),
    examples: request?.examples ?? null,
    reopen: job === undefined && kept !== undefined ? () => reopen(kept) : undefined,
  };
}
