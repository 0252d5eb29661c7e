import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { formatDuration } from '@/lib/vocabulary';
import type { FoldersState } from '../compute/models/model-folders';
import { ServiceError } from '../errors';
import { readerPath, type Settings } from '../settings';
import type { ReaderMethod, ReaderMethods, ReaderReply, ReaderRequest, ReaderStart } from './protocol';

/** One thread serves all; another helps out where it is held up. */
const THREADS = 2;

/** Milliseconds that a call waits for a thread before another one is started. */
const PATIENCE_MS = 250;

/** Seconds for looking through folders, which may lie on a slow network. */
const FOLDER_SECONDS = 300;

/** Of each thread: a tokenizer of the largest size takes a quarter. */
const MEMORY_MB = 2048;

const FOLDER_METHODS: ReadonlySet<ReaderMethod> = new Set(['models', 'addFolder', 'removeFolder', 'chooseTokenizer']);

interface Job {
  readonly method: ReaderMethod;
  readonly argument: unknown;
  readonly since: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One thread and what it does. */
interface Slot {
  readonly worker: Worker;
  job: Job | null;
  timer?: ReturnType<typeof setTimeout>;
  /** The model whose tokenizer was at work last. */
  model?: string;
  /** Which state of the folders it was told. */
  version: number;
}

/**
 * The web server's handle of the threads that read model folders and text, which compute nothing: they answer while the
 * device is busy. Each does one thing at a time. One that takes longer than its limit is ended, since neither a regular
 * expression nor a file that somebody has made is sure to come to an end, and the next call starts another.
 */
export class Readers {
  #slots: Slot[] = [];
  #queue: Job[] = [];
  #closed = false;
  #folders: FoldersState | undefined;
  #version = 0;
  /** Changes of the folders come one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  /** @param onFolders told of folders that were added or are gone */
  constructor(
    private readonly settings: Settings,
    private readonly onFolders: (folders: FoldersState) => void = () => undefined,
  ) {}

  /** Starts a thread before the first call, unless there is one. */
  start(): void {
    if (this.#slots.length === 0 && existsSync(readerPath(this.settings))) this.#slots.push(this.#open());
  }

  /** @throws ServiceError with the reader's refusal, 422 for a tokenizer that does not come to an end, 503. */
  call<M extends ReaderMethod>(method: M, argument: ReaderMethods[M]['argument']): Promise<ReaderMethods[M]['result']> {
    const ask = () =>
      new Promise<ReaderMethods[M]['result']>((resolve, reject) => {
        const job = { method, argument, since: performance.now(), resolve: resolve as Job['resolve'], reject };
        this.#queue.push(job);
        this.#next();
      });
    if (method === 'models' || !FOLDER_METHODS.has(method)) return ask();
    const changed = this.#changing.then(ask);
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /** Ends all threads at once; what they have not answered is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    const slots = this.#slots.splice(0);
    const ended = new ServiceError(503, 'The server is shutting down.');
    for (const job of this.#queue.splice(0)) job.reject(ended);
    for (const slot of slots) {
      clearTimeout(slot.timer);
      slot.job?.reject(ended);
    }
    await Promise.all(slots.map(({ worker }) => worker.terminate()));
  }

  #next(): void {
    const [job] = this.#queue;
    if (!job) return;
    const problem = this.#closed
      ? 'The server is shutting down.'
      : existsSync(readerPath(this.settings))
        ? undefined
        : 'The reader is not built: run "npm run setup" and start Statescope again.';
    if (problem) {
      for (const { reject } of this.#queue.splice(0)) reject(new ServiceError(503, problem));
      return;
    }
    let slot = this.#slots.find((one) => one.job === null);
    if (!slot && this.#slots.length < THREADS) {
      const waits = this.#slots.length === 0 ? 0 : job.since + PATIENCE_MS - performance.now();
      if (waits > 0) {
        setTimeout(() => this.#next(), waits + 1).unref();
        return;
      }
      slot = this.#open();
      this.#slots.push(slot);
    }
    if (!slot) return;
    this.#queue.shift();
    this.#give(slot, job);
    this.#next();
  }

  #open(): Slot {
    const workerData: ReaderStart = { settings: this.settings, folders: this.#folders };
    // The URL is made at run time and the bundler must not follow it.
    const worker = new Worker(/* turbopackIgnore: true */ pathToFileURL(readerPath(this.settings)), {
      workerData,
      env: SHARE_ENV,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    });
    const slot: Slot = { worker, job: null, version: this.#version };
    worker.unref();
    let reason = 'its thread ended';
    worker.on('message', (reply: ReaderReply) => this.#receive(slot, reply));
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => this.#drop(slot, new ServiceError(503, lost(slot, reason))));
    return slot;
  }

  #give(slot: Slot, job: Job): void {
    slot.job = job;
    slot.model = undefined;
    const seconds = FOLDER_METHODS.has(job.method) ? FOLDER_SECONDS : this.settings.textSeconds;
    slot.timer = setTimeout(() => {
      // An answer may be here already where it was this thread that was held up.
      setImmediate(() => {
        if (slot.job === job) this.#end(slot, seconds);
      });
    }, seconds * 1000);
    slot.timer.unref();
    const { method, argument } = job;
    slot.worker.postMessage({ kind: 'request', method, argument } as ReaderRequest);
  }

  #end(slot: Slot, seconds: number): void {
    const error = new ServiceError(
      slot.model === undefined ? 503 : 422,
      slot.model === undefined
        ? `Reading the model folders took longer than ${formatDuration(seconds)} and was ended.`
        : `The tokenizer of ${slot.model} did not come to an end with this text in ${formatDuration(seconds)} and was stopped.`,
      slot.model === undefined
        ? 'Try again; a disk or network that does not answer is the usual reason.'
        : 'Shorten the text, or replace the tokenizer.json: its regular expressions may take for ever.',
    );
    console.error(error.message);
    this.#drop(slot, error);
    void slot.worker.terminate();
  }

  /** Forgets a thread; what it was doing is refused. */
  #drop(slot: Slot, error: ServiceError): void {
    if (!this.#slots.includes(slot)) return;
    this.#slots = this.#slots.filter((one) => one !== slot);
    clearTimeout(slot.timer);
    slot.job?.reject(error);
    slot.job = null;
    this.#next();
  }

  #receive(slot: Slot, reply: ReaderReply): void {
    if (reply.kind === 'beginning') {
      slot.model = reply.model;
      return;
    }
    const { job } = slot;
    if (!job) return;
    clearTimeout(slot.timer);
    slot.job = null;
    if (reply.kind === 'refusal') {
      const { status, message, hint } = reply.refusal;
      job.reject(new ServiceError(status, message, hint));
    } else {
      if (FOLDER_METHODS.has(job.method)) this.#learn(slot, job, reply.folders);
      job.resolve(reply.result);
    }
    this.#next();
  }

  /** Tells all threads of folders that were added or are gone. */
  #learn(slot: Slot, { method }: Job, folders: FoldersState): void {
    // A list that was begun before a change does not undo it.
    if (method === 'models' && slot.version !== this.#version) return;
    if (JSON.stringify(folders) === JSON.stringify(this.#folders)) return;
    this.#folders = folders;
    this.#version++;
    for (const one of this.#slots) {
      one.version = this.#version;
      one.worker.postMessage({ kind: 'folders', folders } satisfies ReaderRequest);
    }
    this.onFolders(folders);
  }
}

const lost = ({ model }: Slot, reason: string) =>
  `The thread that reads text stopped (${reason.replace(/\.+$/, '')})${model === undefined ? '' : ` at the tokenizer of ${model}`}. It is started again when needed.`;
