'use client';
import type { Progress, Run } from '@/lib/api/schemas';
import { ordinal } from '@/lib/figures/numbers';
import { formatDuration, formatForecast } from '@/lib/vocabulary';
import { useForecast } from '../data/forecast';
import { useHealth } from '../data/queries';
import { requestOf, runOrCancel } from '../state/request';
import { isEnded, useRun } from '../state/run';
import { type Selection, useSelection } from '../state/selection';

const STAGES = { loading: 'loading', forward: 'layer', signal: 'signal', lens: 'lens' } as const;

/** Share of the whole run that is finished, models one after the other. */
function fraction(run: Run, progress: Progress | null): number {
  const count = Math.max(1, run.request.models.length);
  if (!progress) return 0;
  const stages = { loading: [0, 0.1], forward: [0.1, 0.6], signal: [0.7, 0.05], lens: [0.75, 0.25] } as const;
  const [start, width] = stages[progress.stage];
  const own = start + (width * progress.layer) / Math.max(1, progress.layers);
  return Math.min(1, (progress.model + own) / count);
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
      const left = progress.secondsLeft === null ? '' : ` · ${formatForecast(progress.secondsLeft)} left`;
      const name = run.models[progress.model]?.name ?? run.request.models[progress.model] ?? '';
      const step =
        progress.stage === 'loading'
          ? `loading ${name}${progress.layer > 0 ? ` · ${Math.floor((100 * progress.layer) / progress.layers)} %` : ''}`
          : `${STAGES[progress.stage]} ${progress.layer} of ${progress.layers}`;
      return { line: `${step}${left}`, detail: '' };
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
  const refused = !busy && refusal !== null && lacking === null;
  return (
    <div className="run">
      <div className="status" role="status" aria-live="polite" data-testid="status" data-state={run?.state ?? 'idle'}>
        {refused ? 'cannot run' : shown.line}
        {busy && run ? (
          <div
            className="progress"
            role="progressbar"
            aria-label="Progress of the run"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(fraction(run, progress) * 100)}
          >
            <i style={{ width: `${fraction(run, progress) * 100}%` }} />
          </div>
        ) : (
          shown.detail &&
          !refused && (
            <span className="detail" data-testid="forecast">
              <br />
              {shown.detail}
            </span>
          )
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
