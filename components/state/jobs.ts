import { create } from 'zustand';
import { useShallow } from 'zustand/react/shallow';
import type { Analysis, AnalysisEvent, AnalysisProgress, AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import { questionOf } from '@/lib/api/question';
import { client } from '../data/client';
import { ANALYSES } from './analyses';
import { isUnderWay, JobMachine, type JobState, type Status, wordsOf } from './job';
import { useRun } from './run';

/** One analysis that the page has asked for, kept up to date from its events. */
export interface Job {
  readonly id: string;
  readonly state: Exclude<JobState, 'idle'>;
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

export const isJobBusy = (job: Job | undefined): boolean => job !== undefined && isUnderWay(job.state);

const put = (name: string, job: Job | undefined) =>
  useJobs.setState(({ jobs }) => ({ jobs: { ...jobs, [name]: job } }));

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

/** A job after events: results belong to its request. */
function afterEvents(
  job: Job | undefined,
  status: Status<AnalysisEvent>,
  events: readonly AnalysisEvent[],
): Job | undefined {
  const whole = events.findLast(({ event }) => event === 'analysis')?.data as Analysis | undefined;
  const request = job?.request ?? whole?.request;
  if (!request || status.state === 'idle') return undefined;
  const found = events.reduce<AnalysisResult | null>(
    (last, { event, data }) => (event === 'result' ? data : event === 'analysis' ? (data.result ?? last) : last),
    null,
  );
  return {
    id: status.id,
    state: status.state,
    request,
    progress: status.progress,
    result: found ?? job?.result ?? null,
    answered: found ? request : (job?.answered ?? null),
    failure: wordsOf(status),
  };
}

/** Where a job of one name is shown. */
interface Place {
  readonly machine: JobMachine<AnalysisEvent>;
  /** Run and question, where its answer may be asked for again. */
  key?: string;
}

const places = new Map<string, Place>();

function placeOf(name: string): Place {
  const known = places.get(name);
  if (known) return known;
  const place: Place = {
    machine: new JobMachine(ANALYSES, (status, events) => {
      if (place.key && status.state === 'done') ended.set(place.key, status.id);
      const job = useJobs.getState().jobs[name];
      const next = afterEvents(job, status, events);
      if (job || next) put(name, next);
    }),
  };
  places.set(name, place);
  return place;
}

/** Shows an analysis under a name, by its id; nothing where the server does not have it any more. */
export function openJob(name: string, id: string): void {
  dropJob(name);
  placeOf(name).machine.open(id, { gone: () => dropJob(name) });
}

/**
 * Starts an analysis in the place of the one of that name, which is cancelled. What the run on the page has the answer
 * to is not computed again.
 * @param keep whether the earlier result stays until there is a newer one
 */
export async function startJob(name: string, request: AnalysisRequestInput, keep = false): Promise<void> {
  const before = keep ? useJobs.getState().jobs[name] : undefined;
  const known = answerOf(request);
  const place = placeOf(name);
  place.key = keyOf(request);
  put(name, {
    id: '',
    state: 'starting',
    request,
    progress: null,
    result: before?.result ?? null,
    answered: before?.answered ?? null,
    failure: '',
  });
  const again = (id: string) => () => {
    lost.add(id);
    void startJob(name, request, keep);
  };
  const ask = async () => known ?? (await client.startAnalysis(request, { run: keeper() })).id;
  await place.machine.start(ask, known === undefined ? undefined : again(known));
}

/** Stops a job before its next step; what is finished stays. */
export const cancelJob = (name: string): void => void places.get(name)?.machine.cancel();

/** Takes a job and its result off the page. */
export function dropJob(name: string): void {
  const place = places.get(name);
  if (!place) return;
  place.key = undefined;
  place.machine.drop();
}

export const sameRequest = (a: AnalysisRequestInput | null | undefined, b: AnalysisRequestInput): boolean =>
  a !== null && a !== undefined && JSON.stringify(a) === JSON.stringify(b);
