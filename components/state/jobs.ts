import { create } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { Analysis, AnalysisEvent, AnalysisProgress, AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import { type ApiError, sentencesOf } from '@/lib/api/client';
import { questionOf } from '@/lib/api/question';
import { client } from '../data/client';
import { useRun } from './run';

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
  /** Run and question, where its answer may be asked for again. */
  readonly key: string | undefined;
  stop: () => void;
}

const live = new Map<string, Live>();

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

/** Ids of what has ended since the page was opened, by run and question. */
const ended = new Map<string, string>();

/** Ids of what the server does not have any more. */
const lost = new Set<string>();

/** The run on the page, which keeps what is asked for now. */
const keeper = (): string | undefined => useRun.getState().run?.id;

/** Run and question; undefined without a run, which is what keeps answers. */
function keyOf(request: AnalysisRequestInput): string | undefined {
  const run = keeper();
  if (run === undefined) return undefined;
  try {
    return `${run} ${questionOf(request)}`;
  } catch {
    // What is not a question has no answer; the server says what is wrong with it.
    return undefined;
  }
}

/** The id of a finished analysis of the run on the page that answers this already. */
function answerOf(request: AnalysisRequestInput): string | undefined {
  const key = keyOf(request);
  if (key === undefined) return undefined;
  const kept = useRun.getState().run?.analyses.find(({ question }) => key.endsWith(` ${question}`));
  return [ended.get(key), kept?.id].find((id) => id !== undefined && !lost.has(id));
}

export const isAnswered = (request: AnalysisRequestInput): boolean => answerOf(request) !== undefined;

/** Takes a job of its own for a name, in the place of the one that has it. */
function claim(name: string, key?: string): Live {
  abandon(name);
  const mine: Live = { id: '', unwanted: false, key, stop: () => undefined };
  live.set(name, mine);
  return mine;
}

/** Keeps a job up to date to its end. @param gone called when the server does not know it */
function follow(name: string, mine: Live, gone: (error: ApiError) => void): void {
  const take = ({ event, data }: AnalysisEvent) => {
    const job = useJobs.getState().jobs[name];
    if (!job || live.get(name) !== mine) return;
    const found = (result: AnalysisResult | null) => (result ? { result, answered: job.request } : {});
    if (event === 'analysis')
      change(name, mine, {
        state: data.state,
        progress: data.progress,
        failure: data.error ?? '',
        ...found(data.result),
      });
    else if (event === 'progress') change(name, mine, { progress: data });
    else if (event === 'result') change(name, mine, found(data));
    else change(name, mine, { state: data.state, failure: data.error ?? '' });
    if ((event === 'analysis' || event === 'state') && data.state === 'done' && mine.key) ended.set(mine.key, mine.id);
  };
  mine.stop = client.followAnalysis(mine.id, take, (error) => {
    if (error.status === 404) gone(error);
    else if (error.status >= 400 && error.status < 500)
      change(name, mine, { state: 'error', failure: sentencesOf(error) });
  });
}

/** Shows a finished analysis under a name, by its id; nothing where the server does not have it any more. */
export async function openJob(name: string, id: string): Promise<void> {
  const mine = claim(name);
  try {
    const { request, state, progress, result, error } = await client.analysis(id);
    if (live.get(name) !== mine) return;
    mine.id = id;
    put(name, { id, state, request, progress, result, answered: request, failure: error ?? '' });
    if (isJobBusy(useJobs.getState().jobs[name])) follow(name, mine, () => dropJob(name));
  } catch {
    if (live.get(name) === mine) dropJob(name);
  }
}

/**
 * Starts an analysis in the place of the one of that name, which is cancelled. What the run on the page has the answer
 * to is not computed again.
 * @param keep whether the earlier result stays until there is a newer one
 */
export async function startJob(name: string, request: AnalysisRequestInput, keep = false): Promise<void> {
  const before = useJobs.getState().jobs[name];
  const mine = claim(name, keyOf(request));
  put(name, {
    id: '',
    state: 'starting',
    request,
    progress: null,
    failure: '',
    result: keep ? (before?.result ?? null) : null,
    answered: keep ? (before?.answered ?? null) : null,
  });
  const known = answerOf(request);
  try {
    mine.id = known ?? (await client.startAnalysis(request, { run: keeper() })).id;
    if (mine.unwanted) await client.cancelAnalysis(mine.id);
    if (live.get(name) !== mine) return;
    change(name, mine, { id: mine.id });
    follow(name, mine, (error) => {
      if (known === undefined) change(name, mine, { state: 'error', failure: sentencesOf(error) });
      else {
        lost.add(known);
        void startJob(name, request, keep);
      }
    });
  } catch (error) {
    change(name, mine, { state: 'error', failure: sentencesOf(error) });
  }
}

/** Stops a job before its next step; what is finished stays. */
export function cancelJob(name: string): void {
  const mine = live.get(name);
  if (!mine) return;
  mine.unwanted = true;
  if (mine.id) client.cancelAnalysis(mine.id).catch((error) => change(name, mine, { failure: sentencesOf(error) }));
}

/** Takes a job and its result off the page. */
export function dropJob(name: string): void {
  abandon(name);
  if (useJobs.getState().jobs[name]) put(name, undefined);
}

export const sameRequest = (a: AnalysisRequestInput | null | undefined, b: AnalysisRequestInput): boolean =>
  a !== null && a !== undefined && JSON.stringify(a) === JSON.stringify(b);
