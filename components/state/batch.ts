import { create } from 'zustand';
import type { SnrExampleInput, SnrRequestInput, SnrResult } from '@/lib/api/analyses';
import type { Analysis, AnalysisEvent, AnalysisProgress } from '@/lib/api/causal';
import type { Run } from '@/lib/api/schemas';
import { client } from '../data/client';
import { ANALYSES } from './analyses';
import { isUnderWay, JobMachine, wordsOf } from './job';
import { ensureRun } from './request';
import { select, useSelection } from './selection';

/** SNR over a batch of prompts: what the server computes beside the run, kept up to date from its events. */
export interface BatchStore {
  readonly id: string;
  readonly state: Analysis['state'] | 'starting' | 'none';
  readonly progress: AnalysisProgress | null;
  /** Of the models that are finished. */
  readonly result: SnrResult | null;
  readonly failure: string;
  /** What it is a batch of, once the server has told. */
  readonly examples: SnrRequestInput['examples'] | null;
  /** Whether the page shows what a batch is made from. */
  readonly open: boolean;
}

const NONE: Omit<BatchStore, 'open'> = {
  id: '',
  state: 'none',
  progress: null,
  result: null,
  failure: '',
  examples: null,
};

export const useBatch = create<BatchStore>()(() => ({ ...NONE, open: false }));

export const openBatch = (open: boolean): void => useBatch.setState({ open });

const snrOf = (result: Analysis['result']): SnrResult | null => (result?.kind === 'snr' ? result : null);

/** What the batch is after one event. */
function afterEvent(batch: BatchStore, { event, data }: AnalysisEvent): BatchStore {
  if (event === 'result') return { ...batch, result: snrOf(data) };
  if (event !== 'analysis') return batch;
  const { request, result } = data;
  return { ...batch, result: snrOf(result), examples: request.kind === 'snr' ? request.examples : null };
}

const machine = new JobMachine(ANALYSES, (status, events) => {
  const { id, state, progress } = status;
  const failure = wordsOf(status);
  // What the server never took is no batch.
  if (state === 'idle' || (state === 'error' && id === '')) useBatch.setState({ ...NONE, failure });
  else useBatch.setState((batch) => ({ ...events.reduce(afterEvent, batch), id, state, progress, failure }));
});

const gone = () => {
  select({ batchId: '' });
  machine.drop();
  useBatch.setState({ failure: 'The batch of this link is no longer on the server: run it again.' });
};

/** Follows a batch by its id to its end. */
export function followBatch(id: string): void {
  useBatch.setState(NONE);
  machine.open(id, { state: 'starting', gone });
}

/** The batch that the run on the page keeps, the newest; undefined where it keeps none. */
export const keptBatch = (run: Run | null): string | undefined =>
  run?.analyses.filter(({ kind }) => kind === 'snr').at(-1)?.id;

/** Shows a batch that is kept, and names it in the address. */
export function reopenBatch(id: string): void {
  select({ batchId: id });
  followBatch(id);
}

/** Prompts that a reader gave, as they stand in the editor. */
export const ownPrompts = (examples: SnrRequestInput['examples'] | null): readonly SnrExampleInput[] | undefined =>
  examples === null || typeof examples === 'string' ? undefined : examples;

/** How many stories were generated. */
export const storiesIn = (examples: SnrRequestInput['examples'] | null): number | undefined =>
  typeof examples === 'string' ? Number(examples.slice(examples.indexOf(':') + 1)) || undefined : undefined;

/** Starts a batch. The run on the page keeps its result and gives its curves their axis: without one, one is started. */
export async function startBatch(request: SnrRequestInput): Promise<void> {
  useBatch.setState(NONE);
  await machine.start(async () => {
    await ensureRun();
    const run = useSelection.getState().runId || undefined;
    const { id } = await client.startAnalysis({ kind: 'snr', ...request }, { run });
    select({ batchId: id });
    return id;
  }, gone);
}

export const isBatchBusy = ({ state }: BatchStore): boolean => state !== 'none' && isUnderWay(state);

/** Stops the batch before its next example; what is finished stays. */
export const cancelBatch = (): Promise<void> => machine.cancel();

/** Takes the batch off the page. */
export function dropBatch(): void {
  machine.drop();
  if (useSelection.getState().batchId) select({ batchId: '' });
}
