import { randomUUID } from 'node:crypto';
import type { Analysis, AnalysisEvent, AnalysisRequest, AnalysisResult } from '@/lib/api/causal';
import type { Device } from '@/lib/api/schemas';
import { Book, type Entry, isFinal, sharedFlag } from './book';
import { ServiceError } from './errors';
import type { AnalysisOutcome, AnalysisUpdate, Body, PreparedAnalysis } from './protocol';
import type { Turns } from './turns';

interface Own {
  readonly prepared: PreparedAnalysis;
  /** Once it has ended with a result. */
  tensors: Body | null;
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
  ) {
    super('analysis', kept, device, turns);
  }

  /** @throws ServiceError 503 when too many wait. */
  add(request: AnalysisRequest, prepared: PreparedAnalysis): Analysis {
    this.turns.checkRoom();
    const analysis: Analysis = {
      ...{ id: randomUUID().slice(0, 8), state: 'queued', request, queuePosition: 0, budget: prepared.budget },
      ...{ progress: null, result: null, device: this.device() },
      timing: { createdAt: Date.now(), startedAt: null, finishedAt: null },
    };
    this.turns.add(this.enter(analysis, sharedFlag(), { prepared, tensors: null }));
    return analysis;
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

  protected async compute(entry: AnalysisEntry): Promise<'done' | 'cancelled'> {
    const { state, result, tensors } = await this.analyse(entry.record.id, entry.prepared, entry.cancel);
    entry.tensors = tensors;
    if (result) this.#takeResult(entry, result);
    return state;
  }

  #takeResult(entry: AnalysisEntry, result: AnalysisResult): void {
    entry.record.result = result;
    this.emit(entry, { event: 'result', data: result });
  }
}
