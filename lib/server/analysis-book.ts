import { randomUUID } from 'node:crypto';
import type {
  Analysis,
  AnalysisEvent,
  AnalysisEventName,
  AnalysisEvents,
  AnalysisRequest,
  AnalysisResult,
} from '@/lib/api/causal';
import type { Device } from '@/lib/api/schemas';
import { ServiceError } from './errors';
import type { AnalysisOutcome, AnalysisUpdate, Body, PreparedAnalysis } from './protocol';
import { isFinal } from './run-book';
import type { Turns, Waiting } from './turns';

type Listener = (event: AnalysisEvent) => void;

interface Entry extends Waiting {
  readonly analysis: Analysis;
  /** One shared integer; ≠ 0 asks the worker to stop. */
  readonly cancel: Int32Array;
  readonly listeners: Set<Listener>;
  /** Once it has ended with a result. */
  tensors: Body | null;
}

/** Computes one analysis to its end in the worker. */
export type Analyse = (id: string, analysis: PreparedAnalysis, cancel: Int32Array) => Promise<AnalysisOutcome>;

/**
 * The state of all causal tests as the outside sees it, and their results, which are small: they need nothing of the
 * worker once they have ended. They wait in the same queue as runs.
 */
export class AnalysisBook {
  #entries = new Map<string, Entry>();

  constructor(
    private readonly analyse: Analyse,
    /** Finished analyses that are kept. */
    private readonly kept: number,
    private readonly device: () => Device | null,
    private readonly turns: Turns,
  ) {}

  /** @throws ServiceError 503 when too many wait. */
  add(request: AnalysisRequest, prepared: PreparedAnalysis): Analysis {
    this.turns.checkRoom();
    const analysis: Analysis = {
      ...{ id: randomUUID().slice(0, 8), state: 'queued', request, queuePosition: 0, budget: prepared.budget },
      ...{ progress: null, result: null, device: this.device() },
      timing: { createdAt: Date.now(), startedAt: null, finishedAt: null },
    };
    const entry: Entry = {
      ...{ analysis, cancel: new Int32Array(new SharedArrayBuffer(4)), listeners: new Set(), tensors: null },
      start: () => this.#start(entry, prepared),
      moved: (position) => {
        analysis.queuePosition = position;
        this.#emit(entry, 'analysis', analysis);
      },
    };
    this.#entries.set(analysis.id, entry);
    this.#forgetOldest();
    this.turns.add(entry);
    return analysis;
  }

  /** @throws ServiceError 404. */
  get(id: string): Analysis {
    return this.#entry(id).analysis;
  }

  /** The result as safetensors. @throws ServiceError 404, 409 while there is none. */
  tensors(id: string): Body {
    const { tensors, analysis } = this.#entry(id);
    if (tensors) return tensors;
    throw new ServiceError(
      409,
      isFinal(analysis) ? `Analysis ${id} ended without a result.` : `Analysis ${id} has not ended yet.`,
      isFinal(analysis) ? 'Its state says why; start it again.' : `Follow /api/analyses/${id}/events.`,
    );
  }

  /** Cancels a waiting analysis at once and a running one before its next step; a finished one stays as it is. */
  cancel(id: string): Analysis {
    const entry = this.#entry(id);
    Atomics.store(entry.cancel, 0, 1);
    if (entry.analysis.state === 'queued') {
      this.#finish(entry, 'cancelled');
      this.turns.remove(entry);
    }
    return entry.analysis;
  }

  /** Calls `listener` with the whole analysis, then with every event. @returns a function that ends it. */
  subscribe(id: string, listener: Listener): () => void {
    const { analysis, listeners } = this.#entry(id);
    listener({ event: 'analysis', data: analysis });
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Applies what the worker tells and passes it on. */
  update(id: string, update: AnalysisUpdate): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    if (update.type === 'result') this.#takeResult(entry, update.result);
    else {
      entry.analysis.progress = update.progress;
      this.#emit(entry, 'progress', update.progress);
    }
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    throw new ServiceError(
      404,
      `There is no analysis ${id}.`,
      'It was removed, or this server never had it: start a new one.',
    );
  }

  async #start(entry: Entry, prepared: PreparedAnalysis): Promise<void> {
    const { analysis, cancel } = entry;
    analysis.state = 'running';
    analysis.queuePosition = 0;
    analysis.timing.startedAt = Date.now();
    this.#emit(entry, 'state', { state: 'running' });
    await this.analyse(analysis.id, prepared, cancel).then(
      ({ state, result, tensors }) => {
        entry.tensors = tensors;
        if (result) this.#takeResult(entry, result);
        this.#finish(entry, state);
      },
      (error: Error) => this.#finish(entry, 'error', error.message),
    );
  }

  #takeResult(entry: Entry, result: AnalysisResult): void {
    entry.analysis.result = result;
    this.#emit(entry, 'result', result);
  }

  #finish(entry: Entry, state: 'done' | 'cancelled' | 'error', error?: string): void {
    const { analysis } = entry;
    analysis.state = state;
    analysis.error = error;
    analysis.queuePosition = 0;
    analysis.device = this.device() ?? analysis.device;
    analysis.timing.finishedAt = Date.now();
    this.#emit(entry, 'state', { state, error });
  }

  #emit<K extends AnalysisEventName>(entry: Entry, event: K, data: AnalysisEvents[K]): void {
    for (const listener of [...entry.listeners]) listener({ event, data } as AnalysisEvent);
  }

  #forgetOldest(): void {
    const finished = [...this.#entries.values()].filter(({ analysis }) => isFinal(analysis));
    for (const { analysis } of finished.slice(0, Math.max(0, finished.length - this.kept)))
      this.#entries.delete(analysis.id);
  }
}
