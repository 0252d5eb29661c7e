import { create } from 'zustand';
import type { SnrExampleInput, SnrRequestInput, SnrResult } from '@/lib/api/analyses';
import type { Analysis, AnalysisProgress } from '@/lib/api/causal';
import { sentencesOf } from '@/lib/api/client';
import type { Run } from '@/lib/api/schemas';
import { client } from '../data/client';
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

let stop: () => void = () => undefined;

const snrOf = (result: Analysis['result']): SnrResult | null => (result?.kind === 'snr' ? result : null);

/** Follows a batch by its id to its end. */
export function followBatch(id: string): void {
  stop();
  useBatch.setState({ ...NONE, id, state: 'starting' });
  stop = client.followAnalysis(
    id,
    ({ event, data }) => {
      if (event === 'analysis')
        useBatch.setState({
          state: data.state,
          progress: data.progress,
          result: snrOf(data.result),
          failure: data.error ?? '',
          examples: data.request.kind === 'snr' ? data.request.examples : null,
        });
      else if (event === 'progress') useBatch.setState({ progress: data });
      else if (event === 'result') useBatch.setState({ result: snrOf(data) });
      else useBatch.setState({ state: data.state, failure: data.error ?? '' });
    },
    (error) => {
      if (error.status !== 404) return;
      select({ batchId: '' });
      useBatch.setState({ ...NONE, failure: 'The batch of this link is no longer on the server: run it again.' });
    },
  );
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

/** What was asked for last, and whether Cancel was pressed before the server had named it. */
let asked = { unwanted: false };

/** Starts a batch. The run on the page keeps its result and gives its curves their axis: without one, one is started. */
export async function startBatch(request: SnrRequestInput): Promise<void> {
  stop();
  const mine = { unwanted: false };
  asked = mine;
  useBatch.setState({ ...NONE, state: 'starting' });
  try {
    await ensureRun();
    const { id } = await client.startAnalysis(
      { kind: 'snr', ...request },
      { run: useSelection.getState().runId || undefined },
    );
    select({ batchId: id });
    followBatch(id);
    if (mine.unwanted) await cancelBatch();
  } catch (error) {
    useBatch.setState({ ...NONE, failure: sentencesOf(error) });
  }
}

export const isBatchBusy = ({ state }: BatchStore): boolean =>
  state === 'starting' || state === 'queued' || state === 'running';

/** Stops the batch before its next example; what is finished stays. */
export async function cancelBatch(): Promise<void> {
  const { id } = useBatch.getState();
  asked.unwanted = true;
  if (!id) return;
  try {
    const { state } = await client.cancelAnalysis(id);
    useBatch.setState({ state });
  } catch (error) {
    useBatch.setState({ failure: sentencesOf(error) });
  }
}

/** Takes the batch off the page. */
export function dropBatch(): void {
  if (isBatchBusy(useBatch.getState())) void cancelBatch();
  stop();
  useBatch.setState(NONE);
  if (useSelection.getState().batchId) select({ batchId: '' });
}
