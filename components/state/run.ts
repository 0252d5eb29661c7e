import { create } from 'zustand';
import type { Progress, Run, RunEvent, RunRequestInput } from '@/lib/api/schemas';
import { client } from '../data/client';
import { type Failure, hasEnded, JobMachine } from './job';
import { select } from './selection';

/** The run on the page, kept up to date from its event stream. */
export interface RunStore {
  readonly run: Run | null;
  /** Apart from the run, so that a step of progress redraws the bar and no figure. */
  readonly progress: Progress | null;
  /** A request that did not become a run, or a run that could not be opened. */
  readonly failure: Failure | null;
  readonly starting: boolean;
  /** Whether this page has started a run itself, and does not only show one that a link named. */
  readonly startedHere: boolean;
}

export const useRun = create<RunStore>()(() => ({
  run: null,
  progress: null,
  failure: null,
  starting: false,
  startedHere: false,
}));

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
      const { model: index, layer, lambda, readout } = message.data;
      const known = run.models[index];
      if (!known) return run;
      const blocks = known.blocks.map((block, k) => (k === layer ? { ...block, lambda } : block));
      return change(index, {
        mapsReady: Math.max(known.mapsReady, layer + 1),
        blocks,
        readout: [...(known.readout ?? []), ...readout],
      });
    }
    case 'signal':
      return change(message.data.model, { signalReady: true });
    case 'lens':
      return change(message.data.model, { lensReady: true });
    case 'state':
      return { ...run, state: message.data.state, error: message.data.error ?? run.error, queuePosition: 0 };
  }
}

export const isEnded = (run: Run | null): boolean => run !== null && hasEnded(run.state);

/** Events that arrive close together cost one redraw. */
const GATHER_MS = 40;

const machine = new JobMachine<RunEvent>(
  {
    follow: (id, tell, lost) => client.subscribe(id, tell, lost),
    cancel: async (id) => ({ event: 'run', data: await client.cancelRun(id) }),
  },
  ({ id, state, progress, failure }, events) => {
    const starting = state === 'starting';
    useRun.setState(({ run }) =>
      events.length === 0
        ? { progress, failure, starting }
        : { run: events.reduce(afterEvent, run?.id === id ? run : null), progress, failure, starting },
    );
    // The stream's last event says only that the run ended; timing and per-model errors are in its whole state.
    if (events.some((message) => message.event === 'state' && hasEnded(message.data.state)))
      client.run(id).then(
        (run) => useRun.setState((now) => (now.run?.id === id ? { run } : now)),
        () => undefined,
      );
  },
  GATHER_MS,
);

const forget = () => useRun.setState({ run: null });

/** Opens a run by its id and follows it to its end. */
export const openRun = (id: string): void => machine.open(id, { gone: forget });

/** Goes on with the run on the page where it was stopped. */
export async function resumeRun(): Promise<void> {
  const { run } = useRun.getState();
  if (run && isEnded(run)) await machine.start(async () => (await client.resumeRun(run.id)).id, forget);
}

/** Starts a run; `starting` lasts until its first event, so that the button says Cancel from press to end. */
export async function startRun(request: RunRequestInput): Promise<void> {
  await machine.start(async () => {
    const { id } = await client.startRun(request);
    select({ runId: id });
    useRun.setState({ startedHere: true });
    return id;
  }, forget);
}

export const cancelRun = (): Promise<void> => machine.cancel();
