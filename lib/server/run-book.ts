import { randomUUID } from 'node:crypto';
import { familyOf } from '@/lib/api/question';
import type { Device, KeptAnalysis, Run, RunEvent, RunModel, RunRequest, RunSummary } from '@/lib/api/schemas';
import { Book, type Entry, isFinal, type Keeping, sharedFlag } from './book';
import { ServiceError } from './errors';
import type { RunUpdate } from './protocol';
import type { Turns } from './turns';

interface Own {
  /** Bytes of its arrays on disk; undefined while they are in memory only. */
  arrayBytes?: number;
  /** Whether it is on disk, state and arrays. */
  kept: boolean;
  /** Whether the worker may hold its activations; it was never told what it has read back from disk. */
  inMemory: boolean;
}

type RunEntry = Entry<Run, RunEvent, Own>;

/** Answers to one kind of question that a run keeps: somebody who moves λ about asks hundreds. */
const KEPT_ANSWERS = 8;

/** Computes one run to its end in the worker. */
export type Execute = (id: string, models: RunModel[], cancel: Int32Array) => Promise<'done' | 'cancelled'>;

/**
 * The state of all runs as the outside sees it; they compute when their turn comes. Holds no tensors.
 */
export class RunBook extends Book<Run, RunEvent, Own> {
  constructor(
    private readonly execute: Execute,
    limits: { readonly keptRuns: number },
    device: () => Device | null,
    /** Called when a run has ended, its state final. */
    private readonly onFinished: (run: Run) => void,
    turns: Turns,
    keeping: Keeping,
  ) {
    super('run', limits.keptRuns, device, turns, keeping);
  }

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
      analyses: [],
    };
    this.turns.add(this.enter(run, sharedFlag(), { kept: false, inMemory: true }));
    return run;
  }

  /** Newest first. */
  list(): RunSummary[] {
    return [...this.entries.values()]
      .reverse()
      .map(({ record: { id, name = '', state, request, timing, available }, kept, arrayBytes }) => {
        return { id, name, state, request, timing, available, kept, bytes: kept ? (arrayBytes ?? 0) : 0 };
      })
      .sort((a, b) => b.timing.createdAt - a.timing.createdAt);
  }

  /** Takes a finished run of an earlier server back from disk. */
  restore(run: Run, arrayBytes: number): void {
    if (this.entries.has(run.id)) return;
    this.enter(run, new Int32Array(1), { arrayBytes, kept: true, inMemory: false });
  }

  /** The arrays of a finished run are on disk from now on, where they weigh `bytes`. */
  wrote(id: string, bytes: number): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    entry.arrayBytes = bytes;
    entry.record.available ||= bytes > 0;
  }

  /** Bytes of a run's arrays on disk; undefined while they are in memory only. */
  arrayBytes(id: string): number | undefined {
    return this.entries.get(id)?.arrayBytes;
  }

  /** A finished run is on disk from now on, arrays and state. */
  kept(id: string): void {
    const entry = this.entries.get(id);
    if (entry) entry.kept = true;
  }

  isKept(id: string): boolean {
    return this.entries.get(id)?.kept ?? false;
  }

  /** These runs are no longer on disk; what is in memory of them stays until it is released. */
  unkept(ids: Iterable<string>): void {
    for (const id of ids) {
      const entry = this.entries.get(id);
      if (!entry) continue;
      entry.arrayBytes = undefined;
      entry.kept = false;
      entry.record.available &&= entry.inMemory;
    }
  }

  /** Those that are on disk, as far as this server knows. */
  keptIds(): string[] {
    return [...this.entries.values()].filter(({ kept }) => kept).map(({ record }) => record.id);
  }

  rename(id: string, name: string): void {
    this.entry(id).record.name = name;
  }

  /**
   * Gives a run the answer to a question. @returns the ids of those that make room for it: earlier answers to the same
   * question, and the oldest of its kind.
   */
  attach(id: string, answer: KeptAnalysis): string[] {
    const run = this.entries.get(id)?.record;
    if (!run) return [];
    const family = familyOf(answer.question);
    const others = run.analyses.filter(({ question }) => question !== answer.question);
    const oldest = others.filter(({ question }) => familyOf(question) === family).slice(0, 1 - KEPT_ANSWERS);
    const after = [...others.filter((other) => !oldest.includes(other)), answer];
    const replaced = run.analyses.filter((other) => !after.includes(other)).map((other) => other.id);
    run.analyses = after;
    return replaced;
  }

  /** Takes an answer that is gone from its run. */
  detach(id: string, analysis: string): void {
    const run = this.entries.get(id)?.record;
    if (run) run.analyses = run.analyses.filter((other) => other.id !== analysis);
  }

  /** Drops a run; one that computes is cancelled first. */
  forget(id: string): void {
    this.cancel(id);
    this.entries.delete(id);
  }

  /**
   * Queues a run again that was cancelled or failed; what it has computed stays.
   * @throws ServiceError 404, 409 when it has not stopped or its activations are gone, 503 when too many wait.
   */
  resume(id: string): Run {
    const entry = this.entry(id);
    const { record: run } = entry;
    if (run.state === 'done' || !isFinal(run))
      throw new ServiceError(409, `Run ${id} is ${run.state}; only a run that was cancelled or failed can go on.`);
    if (!run.available)
      throw new ServiceError(409, `The activations of run ${id} were released to make room.`, 'Run the prompt again.');
    this.turns.checkRoom();
    entry.cancel = sharedFlag();
    entry.inMemory = true;
    run.state = 'queued';
    run.error = undefined;
    for (const model of run.models) {
      model.error = undefined;
      model.signalReady &&= model.mapsReady === model.blocks.length;
    }
    this.turns.add(entry);
    return run;
  }

  /** Applies what the worker tells and passes it on. */
  update(id: string, update: RunUpdate): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    const { record: run } = entry;
    const model = update.type === 'progress' ? undefined : run.models[update.model];
    switch (update.type) {
      case 'progress':
        run.progress = update.progress;
        this.emit(entry, { event: 'progress', data: update.progress });
        return;
      case 'blocks':
        if (model) model.blocks = update.blocks;
        return;
      case 'layer': {
        if (!model) return;
        model.mapsReady = update.layer + 1;
        model.blocks[update.layer].lambda = update.lambda;
        run.timing.firstMapMs ??= Date.now() - (run.timing.startedAt ?? run.timing.createdAt);
        model.readout = [...(model.readout ?? []), ...update.readout];
        const { type: _type, ...layer } = update;
        this.emit(entry, { event: 'layer', data: layer });
        return;
      }
      case 'signal':
        if (model) {
          model.signalReady = true;
          // From here on the signal itself is read.
          delete model.readout;
          // A run that was stopped and goes on computes the layers that it lacks.
          model.forwardMs = (model.forwardMs ?? 0) + update.forwardMs;
        }
        this.emit(entry, { event: 'signal', data: { model: update.model } });
        return;
      case 'failure':
        if (model) model.error = update.message;
        return;
      case 'lens':
        if (model) model.lensReady = true;
        this.emit(entry, { event: 'lens', data: { model: update.model } });
    }
  }

  /** The activations of these runs are gone. */
  released(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.entries.get(id);
      if (!entry) continue;
      entry.inMemory = false;
      if (!entry.arrayBytes) entry.record.available = false;
    }
  }

  /** The worker died: what it held is gone. The running run ends through its rejected call. */
  lostAll(): void {
    for (const entry of this.entries.values()) {
      entry.inMemory = !isFinal(entry.record);
      if (!entry.inMemory && !entry.arrayBytes) entry.record.available = false;
    }
  }

  protected whole = (data: Run): RunEvent => ({ event: 'run', data });
  protected changed = ({ state, error }: Run): RunEvent => ({ event: 'state', data: { state, error } });

  protected compute({ record, cancel }: RunEntry): Promise<'done' | 'cancelled'> {
    return this.execute(record.id, record.models, cancel);
  }

  protected override failed(run: Run, error: Error): void {
    run.available = !(error instanceof ServiceError && error.status === 503);
  }

  protected override ended(run: Run): void {
    // What an earlier end of it has left on disk is not the whole of it any more.
    this.unkept([run.id]);
    this.onFinished(run);
  }
}
