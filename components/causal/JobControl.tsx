'use client';
import type { ReactNode } from 'react';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { formatForecast } from '@/lib/vocabulary';
import { cancelJob, isJobBusy, type Job } from '../state/jobs';

const finished = (job: Job | undefined): number =>
  job?.state === 'done' ? 1 : job?.progress ? job.progress.done / Math.max(1, job.progress.total) : 0;

const modelOf = (request: AnalysisRequestInput): string => ('model' in request ? request.model : '');

function words(jobs: readonly (Job | undefined)[]): string {
  const busy = jobs.find((job) => isJobBusy(job) && job?.state !== 'queued') ?? jobs.find(isJobBusy);
  if (!busy) return jobs.some((job) => job?.state === 'cancelled') ? 'Cancelled; what is finished stays.' : '';
  if (busy.state !== 'running' || !busy.progress) return 'Waits for its turn.';
  const { done, total, secondsLeft } = busy.progress;
  const left = secondsLeft === null ? '' : ` · ${formatForecast(secondsLeft)} left`;
  return `${modelOf(busy.request)} · step ${done} of ${total}${left}`;
}

/** Links to the tensors of what has ended. */
function Downloads({ jobs }: { jobs: readonly (Job | undefined)[] }) {
  const ended = jobs.flatMap((job) => (job?.result && !isJobBusy(job) ? [job] : []));
  return ended.map(({ id, request }) => (
    <a
      key={id}
      className="link"
      href={`/api/analyses/${id}/tensors`}
      download={`${request.kind}-${modelOf(request)}.safetensors`}
    >
      {modelOf(request)} as safetensors
    </a>
  ));
}

/** Run and Cancel of the jobs of one test, how far they are, and what went wrong. */
export function JobControl(props: {
  verb: string;
  names: readonly string[];
  jobs: readonly (Job | undefined)[];
  /** Why it cannot be run. */
  problem: string | undefined;
  /** Whether what is shown answers another question. */
  stale: boolean;
  onRun: () => void;
  /** What the colours mean. */
  legend: ReactNode;
  /** Begins the test ids. */
  testId?: string;
}) {
  const { verb, names, jobs, problem, stale, onRun, legend, testId = 'causal' } = props;
  const busy = jobs.some(isJobBusy);
  const share = jobs.reduce((sum, job) => sum + finished(job), 0) / Math.max(1, jobs.length);
  const failures = [...new Set(jobs.flatMap((job) => (job?.failure ? [job.failure] : [])))];
  const shown = jobs.some((job) => job?.result);
  return (
    <div className="job">
      <button
        type="button"
        className={busy || (shown && !stale) ? 'button low' : 'button low primary'}
        data-testid={`${testId}-run`}
        disabled={!busy && problem !== undefined}
        onClick={() => (busy ? names.forEach(cancelJob) : onRun())}
      >
        {busy ? 'Cancel' : verb}
      </button>
      <div
        className="note"
        role="status"
        data-testid={`${testId}-status`}
        data-state={busy ? 'busy' : shown ? 'shown' : 'idle'}
      >
        {busy ? words(jobs) : (problem ?? (shown && stale ? 'The question has changed since.' : words(jobs)))}
        {busy && (
          <div
            className="progress"
            role="progressbar"
            aria-label={`Progress: ${verb}`}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(100 * share)}
          >
            <i style={{ width: `${100 * share}%` }} />
          </div>
        )}
      </div>
      <Downloads jobs={jobs} />
      <span className="grow" />
      {legend}
      {failures.map((failure) => (
        <p key={failure} className="note bad" role="alert">
          {failure}
        </p>
      ))}
    </div>
  );
}
