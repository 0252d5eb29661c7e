import { create } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { Analysis, AnalysisProgress, AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import { ApiError } from '@/lib/api/client';
import { client } from '../data/client';

/** One analysis that the page has asked for, kept up to date from its events. */
export interface Job {
  readonly id: string;
  readonly state: Analysis['state'] | 'starting';
  readonly request: AnalysisRequestInput;
  readonly progress: AnalysisProgress | null;
  /** What is finished so far. */
  readonly result: AnalysisResult | null;
  /** The request that the result answers: an earlier one while the first numbers of this one are awaited. */
  readonly answered: AnalysisRequestInput | null;
  readonly failure: string;
}

export type Jobs = Readonly<Record<string, Job | undefined>>;

/** By name, such as "patch.A": each name has one analysis at a time. */
export const useJobs = create<{ readonly jobs: Jobs }>()(() => ({ jobs: {} }));

/** The jobs of these names; redraws only when one of them changes. */
export const useJobsOf = (names: readonly string[]): readonly (Job | undefined)[] =>
  useJobs(useShallow(({ jobs }) => names.map((name) => jobs[name])));

export const isJobBusy = (job: Job | undefined): boolean =>
  job !== undefined && (job.state === 'starting' || job.state === 'queued' || job.state === 'running');

interface Live {
  id: string;
  /** Whether somebody has cancelled it before the server gave it an id. */
  unwanted: boolean;
  stop: () => void;
}

const live = new Map<string, Live>();

const words = (error: unknown) =>
  error instanceof ApiError
    ? [error.message, error.hint].filter(Boolean).join(' ')
    : error instanceof Error
      ? error.message
      : String(error);

const put = (name: string, job: Job | undefined) =>
  useJobs.setState(({ jobs }) => ({ jobs: { ...jobs, [name]: job } }));

function change(name: string, mine: Live, patch: Partial<Job>): void {
  const job = useJobs.getState().jobs[name];
  if (job && live.get(name) === mine) put(name, { ...job, ...patch });
}

/** Lets go of what runs under a name and tells the server to stop it. */
function abandon(name: string): void {
  const mine = live.get(name);
  if (!mine) return;
  live.delete(name);
  mine.stop();
  mine.unwanted = true;
  if (mine.id && isJobBusy(useJobs.getState().jobs[name])) client.cancelAnalysis(mine.id).catch(() => undefined);
}

/**
 * Starts an analysis in the place of the one of that name, which is cancelled.
 * @param keep whether the earlier result stays until there is a newer one
 */
export async function startJob(name: string, request: AnalysisRequestInput, keep = false): Promise<void> {
  const before = useJobs.getState().jobs[name];
  abandon(name);
  const mine: Live = { id: '', unwanted: false, stop: () => undefined };
  live.set(name, mine);
  put(name, {
    ...{ id: '', state: 'starting', request, progress: null, failure: '' },
    result: keep ? (before?.result ?? null) : null,
    answered: keep ? (before?.answered ?? null) : null,
  });
  try {
    mine.id = (await client.startAnalysis(request)).id;
    if (mine.unwanted) await client.cancelAnalysis(mine.id);
    if (live.get(name) !== mine) return;
    change(name, mine, { id: mine.id });
    const take = (result: AnalysisResult | null) => (result ? { result, answered: request } : {});
    mine.stop = client.followAnalysis(
      mine.id,
      ({ event, data }) => {
        if (event === 'analysis')
          change(name, mine, {
            ...{ state: data.state, progress: data.progress, failure: data.error ?? '' },
            ...take(data.result),
          });
        else if (event === 'progress') change(name, mine, { progress: data });
        else if (event === 'result') change(name, mine, take(data));
        else change(name, mine, { state: data.state, failure: data.error ?? '' });
      },
      (error) => {
        if (error.status >= 400 && error.status < 500) change(name, mine, { state: 'error', failure: words(error) });
      },
    );
  } catch (error) {
    change(name, mine, { state: 'error', failure: words(error) });
  }
}

/** Stops a job before its next step; what is finished stays. */
export function cancelJob(name: string): void {
  const mine = live.get(name);
  if (!mine) return;
  mine.unwanted = true;
  if (mine.id) client.cancelAnalysis(mine.id).catch((error) => change(name, mine, { failure: words(error) }));
}

/** Takes a job and its result off the page. */
export function dropJob(name: string): void {
  abandon(name);
  if (useJobs.getState().jobs[name]) put(name, undefined);
}

export const sameRequest = (a: AnalysisRequestInput | null | undefined, b: AnalysisRequestInput): boolean =>
  a !== null && a !== undefined && JSON.stringify(a) === JSON.stringify(b);
