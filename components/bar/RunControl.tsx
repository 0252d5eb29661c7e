'use client';
import type { Progress, Run, RunRequest } from '@/lib/api/schemas';
import { ordinal } from '@/lib/figures/numbers';
import { formatDuration, formatForecast } from '@/lib/vocabulary';
import { useForecast } from '../data/forecast';
import { useHealth } from '../data/queries';
import { requestOf, runOrCancel } from '../state/request';
import { isEnded, useRun } from '../state/run';
import { type Selection, useSelection } from '../state/selection';

/** The phase that a run is in, of which model where there are two: “B: layer 12 of 48”. */
export function phase({ models }: RunRequest, { model, stage, layer, layers }: Progress): string {
  const whose = models.length > 1 ? `${'AB'[model]}: ` : '';
  if (stage === 'loading') {
    const percent = layer > 0 ? `, ${Math.floor((100 * layer) / layers)} %` : '';
    return `${whose}loading weights${percent}`;
  }
  return `${whose}layer ${layer} of ${layers}`;
}

function words(run: Run, progress: Progress | null): { line: string; detail: string } {
  const seconds =
    run.timing.startedAt && run.timing.finishedAt ? (run.timing.finishedAt - run.timing.startedAt) / 1000 : null;
  switch (run.state) {
    case 'queued':
      return {
        line: run.queuePosition > 0 ? `${ordinal(run.queuePosition)} in queue` : 'starting',
        detail: `run ${run.id.slice(0, 8)}`,
      };
    case 'running': {
      if (!progress) return { line: 'starting', detail: '' };
      const { secondsLeft } = progress;
      return {
        line: phase(run.request, progress),
        detail: secondsLeft === null ? '' : `${formatForecast(secondsLeft)} left`,
      };
    }
    case 'done':
      return {
        line: seconds === null ? 'done' : `done in ${formatDuration(seconds)}`,
        detail: `run ${run.id.slice(0, 8)}`,
      };
    case 'cancelled':
      return { line: 'cancelled', detail: `run ${run.id.slice(0, 8)}` };
    case 'error':
      return { line: 'stopped by an error', detail: `run ${run.id.slice(0, 8)}` };
    case 'interrupted':
      return { line: 'interrupted', detail: `run ${run.id.slice(0, 8)}` };
  }
}

/** The sentence that says what is missing for a run, or null. */
const missing = (selection: Selection): string | null => {
  const request = requestOf(selection);
  return typeof request === 'string' ? request : null;
};

/** Run and Cancel in one button, the run's state beside it. */
export function RunControl({ stale }: { stale: boolean }) {
  const { run, progress, starting } = useRun();
  const lacking = useSelection(missing);
  const { data: health, error } = useHealth();
  const busy = starting || (run !== null && !isEnded(run));
  const { text: forecast, refusal } = useForecast();
  const idle = error ? 'the server does not answer' : health?.status === 'starting' ? 'device is starting' : 'ready';
  const status = run
    ? words(run, progress)
    : starting
      ? { line: 'sending', detail: '' }
      : { line: lacking ?? idle, detail: lacking ? '' : forecast };
  const shown = !busy && stale && run ? { line: 'inputs changed', detail: forecast } : status;
  const percent = Math.round(100 * (progress?.share ?? 0));
  const refused = !busy && refusal !== null && lacking === null;
  return (
    <div className="run">
      <div className="status" role="status" aria-live="polite" data-testid="status" data-state={run?.state ?? 'idle'}>
        {refused ? 'cannot run' : shown.line}
        {shown.detail && !refused && (
          <span className="detail" data-testid="forecast">
            <br />
            {shown.detail}
          </span>
        )}
        {busy && run && (
          <div
            className="progress"
            role="progressbar"
            aria-label="Progress of the run"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={percent}
          >
            <i style={{ width: `${percent}%` }} />
          </div>
        )}
      </div>
      <button
        type="button"
        data-testid="run-button"
        className={busy ? 'button' : 'button primary'}
        disabled={!busy && (lacking !== null || refused)}
        onClick={runOrCancel}
      >
        {busy ? 'Cancel' : 'Run'} <kbd>{busy ? 'Esc' : '⌘↵'}</kbd>
      </button>
    </div>
  );
}
