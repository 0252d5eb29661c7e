'use client';
import { useEffect, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import type { SnrRequestInput } from '@/lib/api/analyses';
import { formatForecast } from '@/lib/vocabulary';
import { MOST } from '../data/batchText';
import { useLensKind } from '../data/queries';
import { chosenModels } from '../data/view';
import {
  cancelBatch,
  dropBatch,
  isBatchBusy,
  keptBatch,
  openBatch,
  ownPrompts,
  reopenBatch,
  startBatch,
  storiesIn,
  useBatch,
} from '../state/batch';
import { useRun } from '../state/run';
import { useSelection } from '../state/selection';
import { LinesEditor } from '../ui/LinesEditor';

const STORIES = 64;

/** What the batch is doing, in words and as a bar. */
function BatchStatus() {
  const { state, progress, result, failure } = useBatch();
  if (failure)
    return (
      <span className="note bad" role="alert">
        {failure}
      </span>
    );
  if (state === 'none') return null;
  const left = progress?.secondsLeft;
  const text = {
    none: '',
    starting: 'sending',
    queued: 'waits for the device',
    running: progress
      ? `${Math.floor((100 * progress.done) / progress.total)} %${left ? ` · ${formatForecast(left)} left` : ''}`
      : 'starting',
    done: `done: ${result?.examples ?? 0} prompts, in “Signal by layer”`,
    cancelled: result ? `cancelled; ${result.models.map(({ model }) => model).join(', ')} is complete` : 'cancelled',
    error: 'stopped by an error',
    interrupted: 'interrupted: the server ended before it was done',
  }[state];
  return (
    <>
      {state === 'running' && progress && (
        <div
          className="progress batch"
          role="progressbar"
          aria-label="Progress of the batch"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor((100 * progress.done) / progress.total)}
        >
          <i style={{ width: `${(100 * progress.done) / progress.total}%` }} />
        </div>
      )}
      <span className="note" role="status" data-testid="batch-status" data-state={state}>
        {text}
      </span>
    </>
  );
}

/** Several prompts at once: generated stories with known needles, or lines that are pasted or uploaded. */
export function BatchEditor() {
  const busy = useBatch(isBatchBusy);
  const present = useBatch(({ state }) => state !== 'none');
  const examples = useBatch((s) => s.examples);
  const kept = useRun(({ run }) => keptBatch(run));
  const [stories, setStories] = useState(STORIES);
  const generated = storiesIn(examples);
  useEffect(() => {
    if (generated) setStories(generated);
  }, [generated]);
  const models = useSelection(useShallow(chosenModels));
  const { kind: lens } = useLensKind(models.map((name) => ({ name })));
  const start = (examples: SnrRequestInput['examples']) => void startBatch({ models, examples, lens });
  return (
    <div className="editor" data-testid="batch-editor">
      <div className="row">
        <label className="control">
          <span className="note">Stories of the demo task</span>
          <input
            type="number"
            className="field number"
            data-testid="batch-stories"
            min={1}
            max={MOST}
            value={stories}
            onChange={({ target }) => setStories(Math.min(MOST, Math.max(1, Math.floor(Number(target.value)) || 1)))}
          />
        </label>
        <button
          type="button"
          className="button low primary"
          data-testid="batch-demo"
          disabled={busy}
          onClick={() => start(`demo:${stories}`)}
        >
          Generate and run
        </button>
        <span className="note">Held out from training, needle known, 2 to 12 sentences.</span>
      </div>
      <LinesEditor testId="batch" busy={busy} given={ownPrompts(examples)} onStart={start} status={<BatchStatus />}>
        {!present && kept && (
          <button type="button" className="button low" data-testid="batch-reopen" onClick={() => reopenBatch(kept)}>
            Open the last batch of this run
          </button>
        )}
        {busy ? (
          <button type="button" className="button low" data-testid="batch-cancel" onClick={() => void cancelBatch()}>
            Cancel
          </button>
        ) : (
          present && (
            <button type="button" className="button low" data-testid="batch-drop" onClick={dropBatch}>
              Remove batch
            </button>
          )
        )}
        <button type="button" className="button low" onClick={() => openBatch(false)}>
          Close
        </button>
      </LinesEditor>
    </div>
  );
}
