import { create } from 'zustand';
import { ApiError } from '@/lib/api/client';
import type { Progress, Run, RunEvent, RunRequestInput } from '@/lib/api/schemas';
import { client } from '../data/client';
import { select } from './selection';

/** The run on the page, kept up to date from its event stream. */
export interface RunStore {
  readonly run: Run | null;
  /** Apart from the run, so that a step of progress redraws the bar and no figure. */
  readonly progress: Progress | null;
  /** A request that did not become a run, or a run that could not be opened. */
  readonly failure: { readonly message: string; readonly hint?: string } | null;
  readonly starting: boolean;
}

export const useRun = create<RunStore>()(() => ({ run: null, progress: null, failure: null, starting: false }));

let stop: () => void = () => undefined;

const failureOf = (error: unknown) =>
  error instanceof ApiError
    ? { message: error.message, hint: error.hint }
    : { message: error instanceof Error ? error.message : String(error) };

/** The run after one event. Layers finish in order, so layer k ready means k + 1 maps. */
export function afterEvent(run: Run | null, message: RunEvent): Run | null {
  if (message.event === 'run') return message.data;
  if (!run) return run;
  const change = (index: number, patch: Partial<Run['models'][number]>): Run => ({
    ...run,
    models: run.models.map((model, k) => (k === index ? { ...model, ...patch } : model)),
  });
  switch (message.event) {
    case 'progress':
      return run;
    case 'layer': {
      const { model: index, layer, lambda } = message.data;
      const known = run.models[index];
      if (!known) return run;
      const blocks = known.blocks.map((block, k) => (k === layer ? { ...block, lambda } : block));
      return change(index, { mapsReady: Math.max(known.mapsReady, layer + 1), blocks });
    }
    case 'signal':
      return change(message.data.model, { signalReady: true });
    case 'lens':
      return change(message.data.model, { lensReady: true });
    case 'state':
      return { ...run, state: message.data.state, error: message.data.error ?? run.error, queuePosition: 0 };
  }
}

const ENDED: readonly Run['state'][] = ['done', 'cancelled', 'error', 'interrupted'];

export const isEnded = (run: Run | null): boolean => run !== null && ENDED.includes(run.state);

/** Events that arrive close together cost one redraw. */
const GATHER_MS = 40;

/** Opens a run by its id and follows it to its end. */
export function openRun(id: string): void {
  stop();
  let gathered: RunEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const apply = () => {
    timer = undefined;
    const events = gathered;
    gathered = [];
    useRun.setState((state) => {
      const run = events.reduce(afterEvent, state.run?.id === id ? state.run : null);
      const progress = events.reduce<Progress | null>(
        (latest, message) =>
          message.event === 'progress' ? message.data : message.event === 'run' ? message.data.progress : latest,
        state.progress,
      );
      return { run, progress, starting: false, failure: run ? null : state.failure };
    });
    // The stream's last event says only that the run ended; timing and per-model errors are in its whole state.
    if (events.some((message) => message.event === 'state' && ENDED.includes(message.data.state)))
      client.run(id).then(
        (run) => useRun.setState((state) => (state.run?.id === id ? { run } : state)),
        () => undefined,
      );
  };
  const unsubscribe = client.subscribe(
    id,
    (message) => {
      gathered.push(message);
      timer ??= setTimeout(apply, GATHER_MS);
    },
    (error) => {
      if (error.status === 404) useRun.setState({ run: null, progress: null });
      useRun.setState({ failure: failureOf(error), starting: false });
    },
  );
  stop = () => {
    clearTimeout(timer);
    unsubscribe();
  };
}

/** Goes on with the run on the page where it was stopped. */
export async function resumeRun(): Promise<void> {
  const { run } = useRun.getState();
  if (!run || !isEnded(run)) return;
  useRun.setState({ failure: null, progress: null });
  try {
    await client.resumeRun(run.id);
    openRun(run.id);
  } catch (error) {
    useRun.setState({ failure: failureOf(error) });
  }
}

/** What was asked for last: its name once the server has given one, and whether Cancel was pressed before that. */
let asked: { id?: string; unwanted: boolean } = { unwanted: false };

/** Starts a run; `starting` lasts until its first event, so that the button says Cancel from press to end. */
export async function startRun(request: RunRequestInput): Promise<void> {
  stop();
  const mine = { id: undefined as string | undefined, unwanted: false };
  asked = mine;
  useRun.setState({ starting: true, failure: null, progress: null });
  try {
    mine.id = (await client.startRun(request)).id;
    select({ runId: mine.id });
    openRun(mine.id);
    if (mine.unwanted) await client.cancelRun(mine.id);
  } catch (error) {
    useRun.setState({ failure: failureOf(error), starting: false });
  }
}

export async function cancelRun(): Promise<void> {
  const { run, starting } = useRun.getState();
  if (starting) asked.unwanted = true;
  const id = starting ? asked.id : run && !isEnded(run) ? run.id : undefined;
  if (!id) return;
  try {
    const next = await client.cancelRun(id);
    if (isEnded(next)) useRun.setState({ run: next, starting: false });
  } catch (error) {
    useRun.setState({ failure: failureOf(error) });
  }
}
