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
  RunSummary,
  Token,
  TokenizeRequest,
  TokenizerRequest,
  VocabularyEntry,
} from '@/lib/api/schemas';
import type { Sweep, SweepList, SweepRequest, SweepStatus } from '@/lib/api/sweeps';
import type { TrainingRuns } from '@/lib/api/training';
import { packedBytes, weightBytes } from '@/lib/models/weight-format';
import { AnalysisBook } from './analysis-book';
import { ArchiveClient } from './archive/client';
import type { Accepted } from './archive/protocol';
import { isFinal, type Keeping, sharedFlag } from './book';
import { loadingCost, sum } from './compute/runs/costs';
import { Pace } from './compute/runs/pace';
import { DeviceWorker } from './device-worker';
import { ServiceError } from './errors';
import { readExamples } from './examples';
import { Generations } from './generations';
import { Keeper } from './keeper';
import type { Body } from './protocol';
import { Readers } from './readers/readers';
import { RunBook } from './run-book';
import { readSettings, type Settings } from './settings';
import { SweepsClient } from './sweeps/client';
import { Turns } from './turns';

/** What waits to be kept, by name. */
const runName = (id: string) => `run ${id}`;
const analysisName = (id: string) => `analysis ${id}`;

/** How old the stated memory may be. */
const RESIDENT_MS = 500;

/** Time for which the device is not measured, since the archive is being opened. */
const OPENING_MS = 10_000;

/** Time in which a service ends: the process that holds it is to be gone within 3 s. */
const CLOSE_MS = 2500;

/** Everything that the route handlers need: one per process. */
export class Service {
  readonly worker: DeviceWorker;
  readonly readers: Readers;
  readonly runs: RunBook;
  readonly analyses: AnalysisBook;
  readonly generations: Generations;
  readonly archive: ArchiveClient;
  readonly sweeps: SweepsClient;
  readonly version: string;
  readonly #turns: Turns;
  /** What the computing thread has told of itself. */
  #pace = new Pace();
  #loaded: ReadonlySet<string> = new Set();
  readonly #ended = new AbortController();
  #closing: Promise<boolean> | undefined;
  #ending = false;
  readonly #keeper: Keeper;
  /** Runs and analyses that had to leave memory before they could be kept. */
  readonly #lost = new Set<string>();
  #resident = { bytes: 0, at: Number.NEGATIVE_INFINITY };

  constructor(readonly settings: Settings = readSettings()) {
    this.#turns = new Turns(settings.queueLimit);
    this.worker = new DeviceWorker(settings, {
      onUpdate: (id, update) => this.runs.update(id, update),
      onAnalysis: (id, update) => this.analyses.update(id, update),
      onToken: (id, token) => this.generations.update(id, token),
      onAsk: ({ method, argument }) => this.readers.call(method, argument as never),
      onLoaded: (models) => {
        this.#loaded = new Set(models);
      },
      onObserved: (observation, probe) => this.#pace.add(observation, probe),
      onReleased: (ids) => this.#released(ids),
      onCrash: (reason) => {
        console.error(reason);
        this.#loaded = new Set();
        this.runs.lostAll();
      },
    });
    this.readers = new Readers(settings, (folders) => this.worker.setFolders(folders));
    this.archive = new ArchiveClient(settings, () => this.#keeper.wake());
    this.sweeps = new SweepsClient(settings);
    this.#keeper = new Keeper(() => this.archive.usable);
    const keeping = (nameOf: (id: string) => string): Keeping => ({
      waits: (id) => this.#keeper.has(nameOf(id)),
      givenUp: (id) => {
        this.#keeper.drop(nameOf(id));
        this.#lose([id]);
      },
    });
    this.runs = new RunBook(
      (id, models, cancel) => this.worker.call('run', { id, models, cancel }),
      settings,
      () => this.worker.device,
      ({ id }) => this.#keepRun(id),
      this.#turns,
      keeping(runName),
    );
    this.analyses = new AnalysisBook(
      (id, analysis, cancel) => this.worker.call('analyse', { id, analysis, cancel }),
      settings.keptRuns,
      () => this.worker.device,
      this.#turns,
      (analysis, tensors) => this.#answered(analysis, tensors),
      ({ id, run }) => run !== undefined && this.runs.detach(run, id),
      keeping(analysisName),
    );
    this.generations = new Generations(
      (id, generation, cancel) => this.worker.call('generate', { id, generation, cancel }),
      (model, unspelled) => this.readers.call('spell', { model, ...unspelled }),
      this.#turns,
    );
    this.version = JSON.parse(readFileSync(join(settings.root, 'package.json'), 'utf8')).version;
  }

  /**
   * Opens everything that the first run would open otherwise: an embedded database alone takes 1.5 s of processor time, beside
   * which neither a run nor the measurement of the device tells how long runs take.
   */
  start(): void {
    this.worker.start(settledWithin(this.archive.open(), OPENING_MS));
    this.readers.start();
    void this.sweeps.start();
  }

  /** Aborts when the service ends: what still streams then stops. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Ends in good order: takes no new work, cancels what waits and computes, keeps what has ended, a cancelled run with
   * its finished layers included, and gives the store back.
   * @param deadlineMs it resolves by then, whatever still hangs.
   * @returns whether its threads have ended; leaving the process would wait for one that has not.
   */
  close(deadlineMs = CLOSE_MS): Promise<boolean> {
    this.#closing ??= this.#close(Date.now() + deadlineMs, deadlineMs);
    return this.#closing;
  }

  async #close(end: number, deadlineMs: number): Promise<boolean> {
    /** Leaves a share of the time to the steps that follow. */
    const within = (promise: Promise<unknown>, share: number) =>
      settledWithin(promise, end - deadlineMs * share - Date.now());
    this.#ending = true;
    this.#turns.close();
    this.generations.cancelAll();
    this.analyses.cancelAll();
    this.runs.cancelAll();
    await within(this.#turns.idle(), 0.5);
    await within(this.#keeper.settled(), 0.25);
    this.#keeper.close();
    this.#ended.abort();
    return within(
      Promise.allSettled([this.worker.close(), this.readers.close(), this.archive.close(), this.sweeps.close()]),
      0,
    );
  }

  /** How many runs and analyses would be accepted. */
  get room(): number {
    return this.#turns.free;
  }

  /** Never waits for the worker. */
  health(): Health {
    const { status, device, error, restarts } = this.worker;
    return {
      status,
      version: this.version,
      device,
      queue: this.#turns.load,
      memory: { residentBytes: this.#residentBytes() },
      archive: this.#archiveStatus(),
      readOnly: this.settings.readOnly,
      ...(error ? { error } : {}),
      ...(restarts ? { restarts } : {}),
    };
  }

  models = (): Promise<ModelList> => this.readers.call('models', null);
  addFolder = (folder: string): Promise<ModelList> => this.readers.call('addFolder', folder);
  removeFolder = (folder: string): Promise<ModelList> => this.readers.call('removeFolder', folder);
  chooseTokenizer = (request: TokenizerRequest): Promise<ModelList> => this.readers.call('chooseTokenizer', request);
  examples = (): Promise<ExampleList> => readExamples(this.settings.root);
  training = (folder?: string): Promise<TrainingRuns> => this.readers.call('training', { folder });
  tokenize = (request: TokenizeRequest): Promise<Token[]> => this.readers.call('tokenize', request);
  vocabulary = (model: string, q: string, limit?: number): Promise<VocabularyEntry[]> =>
    this.readers.call('vocabulary', { model, q, limit });

  /** Checks the whole request before it is queued: a run that was accepted can only fail by an internal error. */
  async createRun(request: RunRequest): Promise<Run> {
    const run = await this.#turns.reserve(
      () => this.readers.call('prepare', request),
      (models) => this.runs.add(request, models),
    );
    this.#acceptRun(run);
    return run;
  }

  /** What a run would take, loading included, as far as this device has shown; waits until it has. */
  async estimate(request: RunRequest): Promise<RunEstimate> {
    const { cost, weights, ...measure } = await this.readers.call('measure', request);
    await this.worker.opened();
    const toLoad = weights.filter(({ name }) => !this.#loaded.has(name));
    const { keepsHalves, packing } = this.worker;
    const packed = toLoad.reduce((total, counts) => total + packedBytes(counts, counts.tokens, packing), 0);
    const loading = toLoad.map(({ parameters }) => loadingCost(parameters));
    return {
      ...measure,
      weightBytes: toLoad.reduce((total, counts) => total + weightBytes(counts, keepsHalves), 0),
      packedBytes: Math.min(packed, packing?.budgetBytes ?? 0),
      seconds: this.#pace.expect(sum([cost, ...loading])),
    };
  }

  run = (id: string): Run => this.runs.get(id);

  /** Runs in memory, and those on disk where the archive is open and answers; asking opens it. */
  async listRuns(): Promise<RunList> {
    let runs = this.runs.list();
    let failure: string | undefined;
    if (['unopened', 'opening'].includes(this.archive.status.state)) void this.archive.open();
    else if (this.archive.usable)
      try {
        runs = await this.#withKept();
      } catch (error) {
        failure = (error as Error).message;
      }
    const { message = failure, ...status } = this.#archiveStatus();
    return {
      runs: runs.sort((a, b) => b.timing.createdAt - a.timing.createdAt),
      archive: { ...status, ...(message ? { message } : {}), limitBytes: this.settings.dataBytes },
    };
  }

  /** Runs in memory and on disk. Other servers of the store may have renamed or removed what this one holds in memory. */
  async #withKept(): Promise<RunSummary[]> {
    const before = this.runs.keptIds();
    const onDisk = new Map((await this.archive.call('list', null)).map((run) => [run.id, run]));
    this.runs.unkept(before.filter((id) => !onDisk.has(id)));
    const inMemory = this.runs.list().map((run) => {
      const name = run.kept ? onDisk.get(run.id)?.name : undefined;
      return { ...run, name: name ?? run.name };
    });
    return [...inMemory, ...[...onDisk.values()].filter(({ id }) => !this.runs.has(id))];
  }

  /**
   * A run in memory or on disk; waits for the archive only when it is not in memory.
   * @throws ServiceError 404, 503 where the archive does not say whether there is such a run.
   */
  async recall(id: string): Promise<Run> {
    if (!this.runs.has(id) && this.#mayBeKept(id)) {
      const found = await this.archive.call('get', id);
      if (found) this.runs.restore(found.run, found.bytes);
    }
    return this.runs.get(id);
  }

  /** On disk first: where that fails nothing has changed. @throws ServiceError 404, 503. */
  async renameRun(id: string, name: string): Promise<Run> {
    await this.recall(id);
    if (this.runs.isKept(id)) await this.archive.call('rename', { id, name });
    this.runs.rename(id, name);
    // What is not on disk yet, or is being written with its old name, takes the new one there.
    if (this.#keeper.has(runName(id)) || !isFinal(this.runs.get(id))) this.#keepRun(id);
    return this.runs.get(id);
  }

  /**
   * Removes a run from memory and disk; one that computes is cancelled. On disk first: where that fails nothing has
   * changed. @throws ServiceError 404, 503.
   */
  async forgetRun(id: string): Promise<Run> {
    const run = await this.recall(id);
    if (this.runs.isKept(id)) await this.archive.call('forget', id);
    const busy = this.#keeper.has(runName(id)) || !isFinal(run);
    this.#keeper.drop(runName(id));
    this.runs.forget(id);
    this.analyses.forgetRun(id);
    if (isFinal(run)) await this.worker.call('forget', id);
    // It may have left a row that says that it is under way, or is being written now.
    if (busy && this.archive.on)
      this.#keeper.add(`forget ${id}`, () => this.archive.call('forget', id).then(() => true));
    this.#keeper.wake();
    return run;
  }

  /** Goes on with a run that was cancelled or failed. @throws ServiceError 404, 409, 503. */
  async resumeRun(id: string): Promise<Run> {
    await this.recall(id);
    const run = this.runs.resume(id);
    this.#acceptRun(run);
    return run;
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
    const analysis = await this.#turns.reserve(
      async () => {
        if (run !== undefined) await this.recall(run);
        return this.readers.call('prepareAnalysis', request);
      },
      (prepared) => this.analyses.add(request, prepared, run),
    );
    this.#acceptAnalysis(analysis);
    return analysis;
  }

  /**
   * An analysis in memory or on disk; waits for the archive only when it is not in memory.
   * @throws ServiceError 404, 503 where the archive does not say whether there is such an analysis.
   */
  async recallAnalysis(id: string): Promise<Analysis> {
    if (!this.analyses.has(id) && this.#mayBeKept(id)) {
      const found = await this.archive.call('analysis', id);
      if (found) this.analyses.restore(found.analysis, found.tensors);
    }
    return this.analyses.get(id);
  }

  /**
   * Makes a sweep, or goes on with it where it was made before.
   * @param retry tries items again that failed
   * @throws ServiceError 404, 422, 503
   */
  createSweep = (request: SweepRequest, retry: boolean): Promise<SweepStatus> => this.sweeps.submit(request, retry);
  listSweeps = async (): Promise<SweepList> => ({ sweeps: await this.sweeps.list() });
  sweep = (id: string): Promise<Sweep> => this.sweeps.get(id);
  cancelSweep = (id: string): Promise<SweepStatus> => this.sweeps.cancel(id);

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
    return this.#turns.reserve(
      () => this.readers.call('prepareGeneration', request),
      (prepared) => (listener) => this.generations.start(prepared, listener),
    );
  }

  /** Whether the archive is to be asked: no name on disk holds U+0000, which a database refuses. */
  #mayBeKept(id: string): boolean {
    return this.archive.on && !id.includes('\0');
  }

  /** Whether what is computed goes to disk. */
  get #keeps(): boolean {
    return this.archive.on && !this.settings.readOnly;
  }

  /** Reading it takes the system milliseconds, and health is asked for often. */
  #residentBytes(): number {
    const now = performance.now();
    if (now - this.#resident.at > RESIDENT_MS) this.#resident = { bytes: process.memoryUsage.rss(), at: now };
    return this.#resident.bytes;
  }

  #archiveStatus(): Health['archive'] {
    const { state, message = this.#keeper.trouble } = this.archive.status;
    const waits = (name: string) => {
      const [kind, id] = name.split(' ');
      if (kind === 'analysis') return this.analyses.has(id) && isFinal(this.analyses.get(id));
      if (kind !== 'run' || !this.runs.has(id)) return false;
      const run = this.runs.get(id);
      return isFinal(run) && run.timing.startedAt !== null;
    };
    const waiting = this.#keeper.names.filter(waits).length;
    const lost = message && this.#lost.size > 0 ? ` ${this.#lost.size} had to leave memory before that.` : '';
    return { state, waiting, ...(message ? { message: `${message}${lost}` } : {}) };
  }

  /** Activations have left memory: what was still to be written of them is gone, and that is said. */
  #released(ids: readonly string[]): void {
    this.#lose(ids.filter((id) => this.#keeper.has(runName(id)) && this.runs.arrayBytes(id) === undefined));
    this.runs.released(ids);
  }

  #lose(ids: readonly string[]): void {
    for (const id of ids) {
      this.#lost.add(id);
      console.error(`Memory is full: ${id} had to leave it before it could be kept.`);
    }
  }

  /**
   * Writes a run to disk as it stands when its turn comes: that it was accepted; or, once it has ended, its arrays and
   * then the row that names them.
   */
  #keepRun(id: string): void {
    if (!this.#keeps) return;
    this.#keeper.add(runName(id), async () => {
      if (!this.runs.has(id)) return true;
      const run = this.runs.get(id);
      if (!isFinal(run)) await this.archive.call('accept', { kind: 'run', record: run });
      else if (run.timing.startedAt !== null) await this.#keepEnded(run);
      // What waited when the server ended is remembered as interrupted.
      else if (!this.#ending) await this.archive.call('settle', id);
      return true;
    });
  }

  async #keepEnded(run: Run): Promise<void> {
    const { id } = run;
    const bytes = this.runs.arrayBytes(id) ?? (run.available ? await this.#keepArrays(id) : 0);
    // It may have been removed meanwhile, or go on: it is written again when it ends.
    if (!this.runs.has(id) || !isFinal(run)) return;
    this.runs.wrote(id, bytes);
    this.#lost.delete(id);
    const removed = await this.archive.call('put', { run, bytes });
    if (!isFinal(run)) return;
    this.runs.kept(id);
    this.runs.unkept(removed);
  }

  #keepArrays(id: string): Promise<number> {
    return this.worker.call('keep', { id, limit: this.settings.dataBytes }).catch((error: ServiceError) => {
      if (error.status !== 507) throw error;
      throw new Error(`Runs wait in memory to be kept: ${error.message}. It is tried again.`);
    });
  }

  #acceptRun(record: Run): void {
    this.#accept({ kind: 'run', record }, () => this.#keepRun(record.id));
  }

  #acceptAnalysis(record: Analysis): void {
    const { id } = record;
    this.#accept({ kind: 'analysis', record }, () => {
      this.#keeper.add(analysisName(id), async () => {
        const known = this.analyses.has(id) ? this.analyses.get(id) : null;
        if (known && !isFinal(known)) await this.archive.call('accept', { kind: 'analysis', record: known });
        return true;
      });
    });
  }

  /**
   * Writes down that work is under way, so that it is known if this server is killed: at once where the archive is open, not
   * behind what waits to be kept.
   */
  #accept(work: Accepted, later: () => void): void {
    if (!this.#keeps) return;
    if (this.archive.status.state === 'open') this.archive.call('accept', work).catch(later);
    else later();
  }

  /** Gives a finished analysis to its run, and writes it to disk after the run. */
  #answered(analysis: Analysis, tensors: Body | null): void {
    const { id, run, state, request, timing } = analysis;
    const question = questionOf(request);
    const answers = run !== undefined && state === 'done';
    const replaced = answers
      ? this.runs.attach(run, { id, kind: request.kind, question, createdAt: timing.createdAt })
      : [];
    if (!this.#keeps) return;
    if (!answers) {
      // What the end of the server has cancelled is remembered as interrupted.
      if (!this.#ending) this.#keeper.add(`end ${id}`, () => this.archive.call('settle', id).then(() => true));
      return;
    }
    this.#keeper.add(analysisName(id), async () => {
      if (!this.analyses.has(id)) return true;
      if (this.#keeper.has(runName(run))) return false;
      const put = await this.archive.call('putAnalysis', { analysis, run, question, tensors, replaced });
      if (put.kept) this.analyses.kept(id);
      this.runs.unkept(put.removed);
      return true;
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

/** Resolves when the promise has settled, at the latest after `ms`. @returns whether it has. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), false);
  });
  const done = () => true;
  const settled = await Promise.race([promise.then(done, done), late]);
  clearTimeout(timer);
  return settled;
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

/** How many runs and analyses the process's service would accept. */
export const roomForWork = (): number => (globalThis as { [KEY]?: Service })[KEY]?.room ?? Number.POSITIVE_INFINITY;

/**
 * Ends the process's service, if there is one, in good order. It stays, and refuses what still comes.
 * @returns whether its threads have ended.
 */
export async function closeService(deadlineMs?: number): Promise<boolean> {
  return (await (globalThis as { [KEY]?: Service })[KEY]?.close(deadlineMs)) ?? true;
}
