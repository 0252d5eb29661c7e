import { randomUUID } from 'node:crypto';
import type { Analysis, AnalysisEvent, AnalysisRequest, AnalysisResult } from '@/lib/api/causal';
import type { Device } from '@/lib/api/schemas';
import { Book, type Entry, isFinal, type Keeping, sharedFlag } from './book';
import { ServiceError } from './errors';
import type { PreparedAnalysis } from './prepared';
import type { AnalysisOutcome, AnalysisUpdate, Body } from './protocol';
import type { Turns } from './turns';

interface Own {
  /** Null for one that has come back from disk. */
  readonly prepared: PreparedAnalysis | null;
  /** Once it has ended with a result. */
  tensors: Body | null;
  /** Whether it is on disk too. */
  kept: boolean;
}

type AnalysisEntry = Entry<Analysis, AnalysisEvent, Own>;

/** Computes one analysis to its end in the worker. */
export type Analyse = (id: string, analysis: PreparedAnalysis, cancel: Int32Array) => Promise<AnalysisOutcome>;

/**
 * The state of all analyses as the outside sees it, and their results, which are small: they need nothing of the
 * worker once they have ended. They wait in the same queue as runs.
 */
export class AnalysisBook extends Book<Analysis, AnalysisEvent, Own> {
  constructor(
    private readonly analyse: Analyse,
    kept: number,
    device: () => Device | null,
    turns: Turns,
    /** Called when one has ended, its state final. */
    private readonly onFinished: (analysis: Analysis, tensors: Body | null) => void,
    /** Called for one that is neither in memory nor on disk any more. */
    private readonly onLost: (analysis: Analysis) => void,
    keeping: Keeping,
  ) {
    super('analysis', kept, device, turns, keeping);
  }

  /** @throws ServiceError 503 when too many wait. */
  add(request: AnalysisRequest, prepared: PreparedAnalysis, run?: string): Analysis {
    this.turns.checkRoom();
    const analysis: Analysis = {
      id: randomUUID().slice(0, 8),
      state: 'queued',
      request,
      note: prepared.note,
      ...(prepared.tokenizers && { tokenizers: { ...prepared.tokenizers } }),
      run,
      queuePosition: 0,
      budget: prepared.budget,
      progress: null,
      result: null,
      device: this.device(),
      timing: { createdAt: Date.now(), startedAt: null, finishedAt: null },
    };
    this.turns.add(this.enter(analysis, sharedFlag(), { prepared, tensors: null, kept: false }));
    return analysis;
  }

  /** Takes a finished analysis back from disk. */
  restore(analysis: Analysis, tensors: Body | null): void {
    if (!this.has(analysis.id)) this.enter(analysis, new Int32Array(1), { prepared: null, tensors, kept: true });
  }

  /** A finished analysis is on disk from now on. */
  kept(id: string): void {
    const entry = this.entries.get(id);
    if (entry) entry.kept = true;
  }

  /** Drops all that belong to a run; what computes is cancelled. */
  forgetRun(run: string): void {
    for (const { record } of [...this.entries.values()]) {
      if (record.run !== run) continue;
      this.cancel(record.id);
      this.entries.delete(record.id);
    }
  }

  /** The result as safetensors. @throws ServiceError 404, 409 while there is none. */
  tensors(id: string): Body {
    const { tensors, record } = this.entry(id);
    if (tensors) return tensors;
    throw new ServiceError(
      409,
      isFinal(record) ? `Analysis ${id} ended without a result.` : `Analysis ${id} has not ended yet.`,
      isFinal(record) ? 'Its state says why; start it again.' : `Follow /api/analyses/${id}/events.`,
    );
  }

  /** Applies what the worker tells and passes it on. */
  update(id: string, update: AnalysisUpdate): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    if (update.type === 'result') this.#takeResult(entry, update.result);
    else {
      entry.record.progress = update.progress;
      this.emit(entry, { event: 'progress', data: update.progress });
    }
  }

  protected whole = (data: Analysis): AnalysisEvent => ({ event: 'analysis', data });
  protected changed = ({ state, error }: Analysis): AnalysisEvent => ({ event: 'state', data: { state, error } });

  protected override ended(analysis: Analysis): void {
    const entry = this.entries.get(analysis.id);
    if (entry) this.onFinished(analysis, entry.tensors);
  }

  protected override dropped({ record, kept }: AnalysisEntry): void {
    if (!kept) this.onLost(record);
  }

  protected async compute(entry: AnalysisEntry): Promise<'done' | 'cancelled'> {
    const { record, prepared, cancel } = entry;
    if (!prepared) return 'done';
    const { state, result, tensors } = await this.analyse(record.id, prepared, cancel);
    entry.tensors = tensors;
    if (result) this.#takeResult(entry, result);
    return state;
  }

  #takeResult(entry: AnalysisEntry, result: AnalysisResult): void {
    entry.record.result = result;
    this.emit(entry, { event: 'result', data: result });
  }
}
