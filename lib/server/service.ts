import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Analysis, AnalysisEvent, AnalysisRequest } from '@/lib/api/causal';
import type { GenerationEvent, GenerationRequest } from '@/lib/api/generation';
import { questionOf } from '@/lib/api/question';
import { type AskedReading, type ReadingBody, type ReadingName, readingQuery } from '@/lib/api/readings';
import type { RunEstimate } from '@/lib/api/runs';
import type {
  ExampleList,
  Health,
  ModelList,
  Run,
  RunEvent,
  RunList,
  RunRequest,
  Token,
  TokenizeRequest,
  VocabularyEntry,
} from '@/lib/api/schemas';
import { AnalysisBook } from './analysis-book';
import { ArchiveClient } from './archive/client';
import { isFinal, sharedFlag } from './book';
import { DeviceWorker } from './device-worker';
import { ServiceError } from './errors';
import { readExamples } from './examples';
import { Generations } from './generations';
import type { Body } from './protocol';
import { RunBook } from './run-book';
import { readSettings, type Settings } from './settings';
import { Turns } from './turns';

/** Time in which a service ends: the process that holds it is to be gone within 3 s. */
const CLOSE_MS = 2500;

/** Everything that the route handlers need: one per process. */
export class Service {
  readonly worker: DeviceWorker;
  readonly runs: RunBook;
  readonly analyses: AnalysisBook;
  readonly generations: Generations;
  readonly archive: ArchiveClient;
  readonly version: string;
  readonly #turns: Turns;
  readonly #ended = new AbortController();
  #closing: Promise<void> | undefined;
  /** Runs and analyses are written one after the other, each as it ended. */
  #keeping: Promise<void> = Promise.resolve();

  constructor(readonly settings: Settings = readSettings()) {
    this.#turns = new Turns(settings.queueLimit);
    this.worker = new DeviceWorker(settings, {
      onUpdate: (id, update) => this.runs.update(id, update),
      onAnalysis: (id, update) => this.analyses.update(id, update),
      onToken: (id, token) => this.generations.update(id, token),
      onReleased: (ids) => this.runs.released(ids),
      onCrash: (reason) => {
        console.error(reason);
        this.runs.lostAll();
      },
    });
    this.runs = new RunBook(
      (id, models, cancel) => this.worker.call('run', { id, models, cancel }),
      settings,
      () => this.worker.device,
      (run) => {
        const ended = structuredClone(run);
        this.#keeping = this.#keeping.then(() => this.#keep(ended));
      },
      this.#turns,
    );
    this.analyses = new AnalysisBook(
      (id, analysis, cancel) => this.worker.call('analyse', { id, analysis, cancel }),
      settings.keptRuns,
      () => this.worker.device,
      this.#turns,
      (analysis, tensors) => this.#answered(analysis, tensors),
      ({ id, run }) => run !== undefined && this.runs.detach(run, id),
    );
    this.generations = new Generations(
      (id, generation, cancel) => this.worker.call('generate', { id, generation, cancel }),
      this.#turns,
    );
    this.archive = new ArchiveClient(settings);
    this.version = JSON.parse(readFileSync(join(settings.root, 'package.json'), 'utf8')).version;
  }

  start(): void {
    this.worker.start();
  }

  /** Aborts when the service ends: what still streams then stops. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Ends in good order: takes no new work, cancels what waits and computes, keeps what has ended, a cancelled run with
   * its finished layers included, and gives the store back.
   * @param deadlineMs it resolves by then, whatever still hangs.
   */
  close(deadlineMs = CLOSE_MS): Promise<void> {
    this.#closing ??= this.#close(Date.now() + deadlineMs, deadlineMs);
    return this.#closing;
  }

  async #close(end: number, deadlineMs: number): Promise<void> {
    /** Leaves a share of the time to the steps that follow. */
    const within = (promise: Promise<unknown>, share: number) =>
      settledWithin(promise, end - deadlineMs * share - Date.now());
    this.#turns.close();
    this.generations.cancelAll();
    this.analyses.cancelAll();
    this.runs.cancelAll();
    await within(this.#turns.idle(), 0.5);
    await within(this.#keeping, 0.25);
    this.#ended.abort();
    await within(Promise.allSettled([this.worker.close(), this.archive.close()]), 0);
  }

  /** Never waits for the worker. */
  health(): Health {
    const { status, device, error } = this.worker;
    return {
      status,
      version: this.version,
      device,
      queue: this.#turns.load,
      memory: { residentBytes: process.memoryUsage.rss() },
      ...(error ? { error } : {}),
    };
  }

  models = (): Promise<ModelList> => this.worker.call('models', null);
  addFolder = (folder: string): Promise<ModelList> => this.worker.call('addFolder', folder);
  removeFolder = (folder: string): Promise<ModelList> => this.worker.call('removeFolder', folder);
  examples = (): Promise<ExampleList> => readExamples(this.settings.root);
  tokenize = (request: TokenizeRequest): Promise<Token[]> => this.worker.call('tokenize', request);
  vocabulary = (model: string, q: string, limit?: number): Promise<VocabularyEntry[]> =>
    this.worker.call('vocabulary', { model, q, limit });

  /** Checks the whole request before it is queued: a run that was accepted can only fail by an internal error. */
  async createRun(request: RunRequest): Promise<Run> {
    this.#turns.checkRoom();
    return this.runs.add(request, await this.worker.call('prepare', request));
  }

  estimate = (request: RunRequest): Promise<RunEstimate> => this.worker.call('estimate', request);

  run = (id: string): Run => this.runs.get(id);

  /** Runs in memory, and those on disk once the archive is open; asking opens it. */
  async listRuns(): Promise<RunList> {
    const runs = this.runs.list();
    if (this.archive.status.state === 'opening') this.archive.call('open', null).catch(() => undefined);
    else if (this.archive.usable)
      runs.push(...(await this.archive.call('list', null)).filter(({ id }) => !this.runs.has(id)));
    return { runs: runs.sort((a, b) => b.timing.createdAt - a.timing.createdAt), archive: this.archive.status };
  }

  /** A run in memory or on disk; waits for the archive only when it is not in memory. @throws ServiceError 404. */
  async recall(id: string): Promise<Run> {
    if (!this.runs.has(id) && this.archive.usable) {
      const found = await this.archive.call('get', id);
      if (found) this.runs.restore(found.run, found.bytes);
    }
    return this.runs.get(id);
  }

  /** @throws ServiceError 404. */
  async renameRun(id: string, name: string): Promise<Run> {
    await this.recall(id);
    this.runs.rename(id, name);
    if (this.archive.usable) await this.archive.call('rename', { id, name });
    return this.runs.get(id);
  }

  /** Removes a run from memory and disk; one that computes is cancelled. @throws ServiceError 404. */
  async forgetRun(id: string): Promise<Run> {
    const run = await this.recall(id);
    this.runs.forget(id);
    this.analyses.forgetRun(id);
    if (isFinal(run)) await this.worker.call('forget', id);
    if (this.archive.usable) await this.archive.call('forget', id);
    return run;
  }

  /** Goes on with a run that was cancelled or failed. @throws ServiceError 404, 409, 503. */
  async resumeRun(id: string): Promise<Run> {
    await this.recall(id);
    return this.runs.resume(id);
  }

  cancelRun = (id: string): Run => this.runs.cancel(id);
  subscribe = (id: string, listener: (event: RunEvent) => void): (() => void) => this.runs.subscribe(id, listener);

  /**
   * What a run left behind, in one of the ways that `READINGS` lists.
   * @param signal aborted when the client has gone: what takes long then ends
   * @throws ZodError for a question that does not fit its schema; ServiceError 404, 409, 422.
   */
  async read<N extends ReadingName>(
    id: string,
    name: N,
    asked: NoInfer<AskedReading<N>>,
    signal?: AbortSignal,
  ): Promise<ReadingBody<N>> {
    const query = readingQuery(name, asked);
    await this.#opened(id, query.model);
    const answer = await this.worker.call('read', { id, name, query, withdrawn: flagOf(signal) });
    return answer as ReadingBody<N>;
  }

  /**
   * Checks the whole request before it is queued, memory included.
   * @param run keeps the result
   * @throws ServiceError 404, 413, 422, 503.
   */
  async createAnalysis(request: AnalysisRequest, run?: string): Promise<Analysis> {
    this.#turns.checkRoom();
    if (run !== undefined) await this.recall(run);
    return this.analyses.add(request, await this.worker.call('prepareAnalysis', request), run);
  }

  /** An analysis in memory or on disk; waits for the archive only when it is not in memory. @throws ServiceError 404. */
  async recallAnalysis(id: string): Promise<Analysis> {
    if (!this.analyses.has(id) && this.archive.usable) {
      const found = await this.archive.call('analysis', id);
      if (found) this.analyses.restore(found.analysis, found.tensors);
    }
    return this.analyses.get(id);
  }

  analysis = (id: string): Analysis => this.analyses.get(id);
  analysisTensors = (id: string): Body => this.analyses.tensors(id);
  cancelAnalysis = (id: string): Analysis => this.analyses.cancel(id);
  subscribeAnalysis = (id: string, listener: (event: AnalysisEvent) => void): (() => void) =>
    this.analyses.subscribe(id, listener);

  /**
   * Checks the whole request. @returns a function that starts it and tells a listener of every event; what that returns
   * cancels. @throws ServiceError 404, 413, 422, 503.
   */
  async generation(request: GenerationRequest): Promise<(listener: (event: GenerationEvent) => void) => () => void> {
    this.#turns.checkRoom();
    const prepared = await this.worker.call('prepareGeneration', request);
    return (listener) => this.generations.start(prepared, listener);
  }

  /** Writes a run that has ended to disk: its arrays first, then the row that names them. */
  async #keep(run: Run): Promise<void> {
    if (!this.archive.usable || run.timing.startedAt === null) return;
    const { id } = run;
    try {
      if (!this.runs.has(id)) return;
      const bytes = run.available ? await this.worker.call('keep', { id, limit: this.settings.dataBytes }) : 0;
      if (!this.runs.has(id)) return;
      this.runs.unkept(await this.archive.call('put', { run, bytes }));
      this.runs.kept(id, bytes);
    } catch (error) {
      console.error(`Run ${id} is not kept:`, (error as Error).message);
    }
  }

  /** Gives a finished analysis to its run, and writes it to disk after the run. */
  #answered(analysis: Analysis, tensors: Body | null): void {
    const { id, run, state, request, timing } = analysis;
    if (run === undefined || state !== 'done') return;
    const question = questionOf(request);
    const replaced = this.runs.attach(run, { id, kind: request.kind, question, createdAt: timing.createdAt });
    const ended = structuredClone(analysis);
    this.#keeping = this.#keeping.then(async () => {
      if (!this.archive.usable || !this.analyses.has(id)) return;
      try {
        const put = await this.archive.call('putAnalysis', { analysis: ended, run, question, tensors, replaced });
        if (put.kept) this.analyses.kept(id);
        this.runs.unkept(put.removed);
      } catch (error) {
        console.error(`Analysis ${id} is not kept:`, (error as Error).message);
      }
    });
  }

  /** @throws ServiceError 404 for an unknown run or model index, 409 before it has started or after its release. */
  async #opened(id: string, model: number): Promise<void> {
    const run = await this.recall(id);
    if (model >= run.models.length)
      throw new ServiceError(404, `Run ${id} has ${run.models.length} model(s), numbered from 0.`);
    if (!run.available)
      throw new ServiceError(409, `The activations of run ${id} were released to make room.`, 'Run the prompt again.');
    if (run.timing.startedAt === null)
      throw new ServiceError(
        409,
        `Run ${id} has nothing to read: it ${run.state === 'queued' ? 'waits' : 'was cancelled before it started'}.`,
      );
  }
}

/** Resolves when the promise has settled, at the latest after `ms`. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
}

/** A shared integer that becomes 1 when the signal aborts. */
function flagOf(signal: AbortSignal | undefined): Int32Array | undefined {
  if (!signal) return undefined;
  const flag = sharedFlag();
  if (signal.aborted) Atomics.store(flag, 0, 1);
  signal.addEventListener('abort', () => Atomics.store(flag, 0, 1), { once: true });
  return flag;
}

const KEY = Symbol.for('statescope.service');

/**
 * The process's service. Kept on `globalThis`, because the bundler may load this module once per route and
 * again after an edit.
 */
export function service(): Service {
  const holder = globalThis as { [KEY]?: Service };
  holder[KEY] ??= new Service();
  return holder[KEY];
}

/** Ends the process's service, if there is one, in good order. It stays, and refuses what still comes. */
export async function closeService(deadlineMs?: number): Promise<void> {
  await (globalThis as { [KEY]?: Service })[KEY]?.close(deadlineMs);
}
