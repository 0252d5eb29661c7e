import type { RunRequestInput } from '@/lib/api/schemas';
import { chosenModels } from '../data/view';
import { cancelRun, isEnded, startRun, useRun } from './run';
import { type Selection, useSelection } from './selection';

/** What Run sends for a selection, or the sentence that says what is missing. */
export function requestOf(selection: Selection): RunRequestInput | string {
  if (!selection.modelA) return 'choose a model';
  if (selection.prompt.trim() === '') return 'the prompt is empty';
  if (selection.target.trim() === '') return 'choose a target token';
  return {
    models: chosenModels(selection),
    prompt: selection.prompt,
    position: selection.position,
    target: selection.target,
    needle: selection.needle ? [selection.needle[0], selection.needle[1]] : undefined,
    candidates: selection.candidates.length > 1 ? [...selection.candidates] : undefined,
    continuation: selection.continuation ?? undefined,
    target_id: selection.targetId ?? undefined,
  };
}

export const isBusy = (): boolean => {
  const { run, starting } = useRun.getState();
  return starting || (run !== null && !isEnded(run));
};

/** Starts a run where the page has none; resolves when the server has named it. */
export async function ensureRun(): Promise<void> {
  const { run, starting } = useRun.getState();
  const request = requestOf(useSelection.getState());
  if (run === null && !starting && typeof request !== 'string') await startRun(request);
}

/** The one button: Run, or Cancel while something runs. */
export function runOrCancel(): void {
  if (isBusy()) {
    void cancelRun();
    return;
  }
  const request = requestOf(useSelection.getState());
  if (typeof request !== 'string') void startRun(request);
}
