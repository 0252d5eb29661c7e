import { isJobBusy, type Job } from '../state/jobs';

function words(job: Job): string {
  if (job.state === 'cancelled') return 'Cancelled; what is finished stays.';
  if (!isJobBusy(job)) return '';
  const { progress } = job;
  return progress ? `step ${progress.done} of ${progress.total}` : 'Waits for its turn.';
}

/** How far one job is, in words; `shown`: whether what it has found is on the page. */
export function JobStatus({ job, shown, testId }: { job: Job | undefined; shown: boolean; testId: string }) {
  return (
    <span
      className="note"
      role="status"
      data-testid={testId}
      data-state={isJobBusy(job) ? 'busy' : shown ? 'shown' : 'idle'}
    >
      {job ? words(job) : ''}
    </span>
  );
}
