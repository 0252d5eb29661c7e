'use client';
import { useCallback, useEffect, useMemo } from 'react';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { type ModelView, promptOf, targetOf, type View } from '../data/view';
import { dropJob, type Job, openJob, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { isEnded } from '../state/run';
import { setCancellation, useCancellation } from './settings';
import type { Batch, Single } from './shares';

type Examples = Extract<AnalysisRequestInput, { kind: 'cancellation_batch' }>['examples'];

export const singleName = ({ slot }: ModelView) => `cancellation.${slot}`;
export const batchName = ({ slot }: ModelView) => `cancellation-batch.${slot}`;

function requestOf(view: View, model: ModelView, foil: string): AnalysisRequestInput | undefined {
  if (!model.needle || model.needle[0] > model.position) return undefined;
  const target = view.target.trim();
  const others = (view.run.request.candidates ?? []).filter((word) => word.trim() !== target);
  return {
    kind: 'cancellation',
    model: model.name,
    prompt: promptOf(model),
    target: targetOf(model),
    position: model.position,
    needle: [model.needle[0], Math.min(model.needle[1], model.position) + 1],
    ...(others.length > 0 ? { candidates: others } : foil && foil !== target ? { foil } : {}),
  };
}

/** The test of this prompt, which runs by itself once the run has ended and the section is near. */
export function useOwnPrompt(view: View, models: readonly ModelView[], foil: string): readonly (Single | undefined)[] {
  const ended = isEnded(view.run);
  useEffect(() => {
    if (!ended) return;
    for (const model of models) {
      const request = requestOf(view, model, foil);
      const job = useJobs.getState().jobs[singleName(model)];
      if (!request) dropJob(singleName(model));
      else if (!job || !sameRequest(job.request, request)) void startJob(singleName(model), request, true);
    }
  }, [view, models, foil, ended]);
  const jobs = useJobsOf(models.map(singleName));
  return useMemo(() => jobs.map((job) => (job?.result?.kind === 'cancellation' ? job.result : undefined)), [jobs]);
}

/** Whether a batch is over prompts that its reader gave. */
export const isOwn = ({ request }: Job): boolean =>
  request.kind === 'cancellation_batch' && typeof request.examples !== 'string';

/** The batch over stories or own prompts, one job a model; a link opens the one that it names. */
export function useBatches(models: readonly ModelView[]) {
  const jobs = useJobsOf(models.map(batchName));
  const batches = useMemo(
    () =>
      jobs.map((job): Batch | undefined =>
        job?.result?.kind === 'cancellation_batch' && job.result.layers.length > 0 ? job.result : undefined,
      ),
    [jobs],
  );
  const asked = models.map(({ slot, name }) => `${slot} ${name}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the link is read when the models are known, not when they are drawn anew.
  useEffect(() => {
    models.forEach((model, k) => {
      const id = useCancellation.getState().batches[k];
      if (id && !useJobs.getState().jobs[batchName(model)]) void openJob(batchName(model), id);
    });
  }, [asked]);
  const start = useCallback(
    async (examples: Examples) => {
      await Promise.all(
        models.map((model) => startJob(batchName(model), { kind: 'cancellation_batch', model: model.name, examples })),
      );
      setCancellation({ batches: models.flatMap((model) => useJobs.getState().jobs[batchName(model)]?.id || []) });
    },
    [models],
  );
  // The last answers that the run keeps, where nothing is shown yet.
  const kept = useMemo(
    () =>
      models.flatMap(
        ({ run, name }) =>
          run.analyses.filter(({ question }) => question.startsWith(`cancellation_batch.${name}.`)).at(-1)?.id ?? [],
      ),
    [models],
  );
  const reopen = () => {
    models.forEach((model, k) => {
      void openJob(batchName(model), kept[k]);
    });
    setCancellation({ batches: kept });
  };
  const drop = () => {
    for (const model of models) dropJob(batchName(model));
    setCancellation({ batches: [] });
  };
  const request = jobs.find((job) => job !== undefined)?.request;
  return {
    jobs,
    batches,
    drop,
    start: (examples: Examples) => void start(examples),
    examples: request?.kind === 'cancellation_batch' ? request.examples : null,
    reopen: request === undefined && kept.length === models.length ? reopen : undefined,
  };
}
