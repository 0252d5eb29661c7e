import { randomUUID } from 'node:crypto';
import type {
  Device,
  Run,
  RunEvent,
  RunEventName,
  RunEvents,
  RunModel,
  RunRequest,
  RunSummary,
} from '@/lib/api/schemas';
import { ServiceError } from './errors';
import type { RunUpdate } from './protocol';
import type { Turns, Waiting } from './turns';

type Listener = (event: RunEvent) => void;

interface Entry extends Waiting {
  readonly run: Run;
  /** One shared integer; ≠ 0 asks the worker to stop. */
  cancel: Int32Array;
  readonly listeners: Set<Listener>;
  /** Bytes of its arrays on disk; undefined while it is in memory only. */
  keptBytes?: number;
}

export const isFinal = ({ state }: Pick<Run, 'state'>) =>
  state === 'done' || state === 'cancelled' || state === 'error';

/** Computes one run to its end in the worker. */
export type Execute = (id: string, models: RunModel[], cancel: Int32Array) => Promise<'done' | 'cancelled'>;

/**
 * The state of all runs as the outside sees it; they compute when their turn comes. Holds no tensors.
 */
export class RunBook {
  #entries = new Map<string, Entry>();

  constructor(
    private readonly execute: Execute,
    private readonly limits: { readonly keptRuns: number },
    private readonly device: () => Device | null,
    /** Called when a run has ended, its state final. */
    private readonly onFinished: (run: Run) => void,
    /** Shared with whatever else computes on the device. */
    private readonly turns: Turns,
  ) {}

  /** @throws ServiceError 503 when too many runs wait. */
  add(request: RunRequest, models: RunModel[]): Run {
    this.turns.checkRoom();
    const run: Run = {
      id: randomUUID().slice(0, 8),
      state: 'queued',
      request,
      queuePosition: 0,
      progress: null,
      models,
      device: this.device(),
      timing: { createdAt: Date.now(), startedAt: null, finishedAt: null, firstMapMs: null },
      available: true,
    };
    const entry = this.#entryOf(run, { cancel: new Int32Array(new SharedArrayBuffer(4)) });
    this.#forgetOldest();
    this.turns.add(entry);
    return run;
  }

  /** @throws ServiceError 404. */
  get(id: string): Run {
    return this.#entry(id).run;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Newest first. */
  list(): RunSummary[] {
    return [...this.#entries.values()]
      .reverse()
      .map(({ run: { id, name = '', state, request, timing, available }, keptBytes: bytes }) => {
        return { id, name, state, request, timing, available, kept: bytes !== undefined, bytes: bytes ?? 0 };
      })
      .sort((a, b) => b.timing.createdAt - a.timing.createdAt);
  }

  /** Takes a finished run of an earlier server back from disk. */
  restore(run: Run, keptBytes: number): void {
    if (this.#entries.has(run.id)) return;
    this.#entryOf(run, { cancel: new Int32Array(1), keptBytes });
    this.#forgetOldest(run.id);
  }

  /** A finished run is on disk from now on. */
  kept(id: string, bytes: number): void {
    const entry = this.#entries.get(id);
    if (entry) entry.keptBytes = bytes;
  }

  /** These runs are no longer on disk; what is in memory of them stays until it is released. */
  unkept(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry) entry.keptBytes = undefined;
    }
  }

  rename(id: string, name: string): void {
    this.#entry(id).run.name = name;
  }

  /** Drops a run; one that computes is cancelled first. */
  forget(id: string): void {
    this.cancel(id);
    this.#entries.delete(id);
  }

  /** Cancels a waiting run at once and a running one before its next layer; a finished one stays as it is. */
  cancel(id: string): Run {
    const entry = this.#entry(id);
    Atomics.store(entry.cancel, 0, 1);
    if (entry.run.state === 'queued') {
      this.#finish(entry, 'cancelled');
      this.turns.remove(entry);
    }
    return entry.run;
  }

  /**
   * Queues a run again that was cancelled or failed; what it has computed stays.
   * @throws ServiceError 404, 409 when it has not stopped or its activations are gone, 503 when too many wait.
   */
  resume(id: string): Run {
    const entry = this.#entry(id);
    const { run } = entry;
    if (run.state !== 'cancelled' && run.state !== 'error')
      throw new ServiceError(409, `Run ${id} is ${run.state}; only a run that was cancelled or failed can go on.`);
    if (!run.available)
      throw new ServiceError(409, `The activations of run ${id} were released to make room.`, 'Run the prompt again.');
    this.turns.checkRoom();
    entry.cancel = new Int32Array(new SharedArrayBuffer(4));
    run.state = 'queued';
    run.error = undefined;
    for (const model of run.models) {
      model.error = undefined;
      model.signalReady &&= model.mapsReady === model.blocks.length;
    }
    this.turns.add(entry);
    return run;
  }

  /** Calls `listener` with the whole run, then with every event. @returns a function that ends it. */
  subscribe(id: string, listener: Listener): () => void {
    const { run, listeners } = this.#entry(id);
    listener({ event: 'run', data: run });
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Applies what the worker tells and passes it on. */
  update(id: string, update: RunUpdate): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const { run } = entry;
    const model = update.type === 'progress' ? undefined : run.models[update.model];
    switch (update.type) {
      case 'progress':
        run.progress = update.progress;
        this.#emit(entry, 'progress', update.progress);
        return;
      case 'blocks':
        if (model) model.blocks = update.blocks;
        return;
      case 'layer': {
        if (!model) return;
        model.mapsReady = update.layer + 1;
        model.blocks[update.layer].lambda = update.lambda;
        run.timing.firstMapMs ??= Date.now() - (run.timing.startedAt ?? run.timing.createdAt);
        this.#emit(entry, 'layer', { model: update.model, layer: update.layer, lambda: update.lambda });
        return;
      }
      case 'signal':
        if (model) model.signalReady = true;
        this.#emit(entry, 'signal', { model: update.model });
        return;
      case 'failure':
        if (model) model.error = update.message;
        return;
      case 'lens':
        if (model) model.lensReady = true;
        this.#emit(entry, 'lens', { model: update.model });
    }
  }

  /** The activations of these runs are gone. */
  released(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry && !entry.keptBytes) entry.run.available = false;
    }
  }

  /** The worker died: what it held is gone. The running run ends through its rejected call. */
  lostAll(): void {
    for (const { run, keptBytes } of this.#entries.values()) if (isFinal(run) && !keptBytes) run.available = false;
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (!entry)
      throw new ServiceError(
        404,
        `There is no run ${id}.`,
        'It was removed, or this server never had it: start a new one.',
      );
    return entry;
  }

  #emit<K extends RunEventName>(entry: Entry, event: K, data: RunEvents[K]): void {
    for (const listener of [...entry.listeners]) listener({ event, data } as RunEvent);
  }

  #entryOf(run: Run, rest: Pick<Entry, 'cancel' | 'keptBytes'>): Entry {
    const entry: Entry = {
      ...{ ...rest, run, listeners: new Set<Listener>() },
      start: () => this.#start(entry),
      moved: (position) => {
        run.queuePosition = position;
        this.#emit(entry, 'run', run);
      },
    };
    this.#entries.set(run.id, entry);
    return entry;
  }

  async #start(entry: Entry): Promise<void> {
    const { run } = entry;
    run.state = 'running';
    run.queuePosition = 0;
    run.device = this.device();
    const { startedAt, finishedAt } = run.timing;
    run.timing.startedAt = Date.now() - (startedAt !== null && finishedAt !== null ? finishedAt - startedAt : 0);
    run.timing.finishedAt = null;
    this.#emit(entry, 'state', { state: 'running' });
    await this.execute(run.id, run.models, entry.cancel).then(
      (outcome) => this.#finish(entry, outcome),
      (error: Error) => {
        run.available = !(error instanceof ServiceError && error.status === 503);
        this.#finish(entry, 'error', error.message);
      },
    );
  }

  #finish(entry: Entry, state: 'done' | 'cancelled' | 'error', error?: string): void {
    const { run } = entry;
    run.state = state;
    run.error = error;
    run.queuePosition = 0;
    run.device = this.device() ?? run.device;
    run.timing.finishedAt = Date.now();
    this.#emit(entry, 'state', { state, error });
    this.onFinished(run);
  }

  /** Keeps the number of finished runs within the limit, whatever happens to `spared`. */
  #forgetOldest(spared?: string): void {
    const finished = [...this.#entries.values()].filter(({ run }) => isFinal(run) && run.id !== spared);
    for (const { run } of finished.slice(0, Math.max(0, finished.length - this.limits.keptRuns)))
      this.#entries.delete(run.id);
  }
}
