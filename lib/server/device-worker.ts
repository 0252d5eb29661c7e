import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type { Packing } from '@/kernels/ops';
import type { Device, Health } from '@/lib/api/schemas';
import { formatDuration } from '@/lib/vocabulary';
import { Calls } from './calls';
import type { FoldersState } from './compute/models/model-folders';
import { refusalOf } from './compute/refusal';
import type { Observation } from './compute/runs/pace';
import { ServiceError } from './errors';
import type { ChosenToken } from './prepared';
import type {
  AnalysisUpdate,
  Asked,
  Message,
  MethodName,
  RunUpdate,
  Told,
  WorkerMethods,
  WorkerStart,
} from './protocol';
import { type Settings, workerPath } from './settings';

export interface DeviceWorkerListener {
  onUpdate(id: string, update: RunUpdate): void;
  onAnalysis(id: string, update: AnalysisUpdate): void;
  onToken(id: string, token: ChosenToken): void;
  /** A tokenizer, which is in another thread, is asked for something. */
  onAsk(asked: Asked): Promise<unknown>;
  /** These models are on the device or on their way there. */
  onLoaded(models: readonly string[]): void;
  /** What a stage of a run, or of a probe of the device, took. */
  onObserved(observation: Observation, probe: boolean): void;
  /** Activations of these runs are no longer in memory. */
  onReleased(ids: readonly string[]): void;
  /** The thread ended by itself; everything it held is gone. */
  onCrash(reason: string): void;
}

const ATTEMPTS = 3;

/** Seconds after which a thread that was told to end is known to be in a kernel that does not return. */
const END_SECONDS = 10;

/** Looks at the thread in each time that it has to show itself. */
const LOOKS = 8;

/**
 * The web server's handle of the one thread that owns the device. Calls are answered in the worker between
 * two layers of a running run. A thread that dies, or gets stuck and is ended, is started again; after three deaths in a row without ever
 * getting ready it stays down and every call says why.
 */
export class DeviceWorker {
  device: Device | null = null;
  /** Whether the device computes from weights of 16 bits as they are. */
  keepsHalves = false;
  /** How it packs weights, where it does. */
  packing: Packing | null = null;
  status: 'starting' | 'ready' | 'failed' = 'starting';
  error: string | undefined;
  /** How often the thread was started again, and why the last time. */
  restarts: Health['restarts'];
  #worker: Worker | null = null;
  #watch: ReturnType<typeof setInterval> | undefined;
  #folders: FoldersState | undefined;
  readonly #calls = new Calls();
  #deaths = 0;
  /** Told when the thread is ready or has failed. */
  #waiting: (() => void)[] = [];

  constructor(
    private readonly settings: Settings,
    private readonly listener: DeviceWorkerListener,
  ) {}

  /**
   * Starts the thread, unless it runs or has failed for good.
   * @param quiet what else the machine does now: the thread opens the device beside it, and measures it afterwards
   */
  start(quiet?: Promise<unknown>): void {
    if (this.#worker || this.status === 'failed') return;
    const path = workerPath(this.settings);
    if (!existsSync(path)) {
      this.#fail('The worker is not built: run "npm run setup" and start Statescope again.');
      return;
    }
    this.status = 'starting';
    this.error = undefined;
    const beat = new Int32Array(new SharedArrayBuffer(4));
    const workerData: WorkerStart = {
      settings: this.settings,
      folders: this.#folders,
      beat,
      waits: quiet !== undefined,
    };
    // The URL is made at run time and the bundler must not follow it.
    // TensorFlow reads its settings from the process's environment, which a copy in the thread would not reach.
    const worker = new Worker(/* turbopackIgnore: true */ pathToFileURL(path), { workerData, env: SHARE_ENV });
    this.#worker = worker;
    worker.unref();
    void quiet?.then(() => worker.postMessage({ kind: 'quiet' } satisfies Told));
    let reason = 'its thread ended';
    this.#watchOver(beat, () => {
      reason = `it did not get from one step to the next in ${formatDuration(this.settings.stepSeconds)} and was ended`;
      this.#end(worker);
    });
    worker.on('message', (message: Message) => this.#receive(message));
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#died(reason);
    });
  }

  /**
   * Calls `stuck` once the thread has not shown itself for as long as a step may take. Time in which this thread does not
   * run either, as on a machine that sleeps, does not count.
   */
  #watchOver(beat: Int32Array, stuck: () => void): void {
    clearInterval(this.#watch);
    const limit = this.settings.stepSeconds * 1000;
    let [seen, silent, looked] = [0, 0, performance.now()];
    this.#watch = setInterval(() => {
      const now = performance.now();
      const shown = Atomics.load(beat, 0);
      silent = shown === seen ? silent + Math.min(now - looked, (2 * limit) / LOOKS) : 0;
      [seen, looked] = [shown, now];
      if (silent < limit) return;
      clearInterval(this.#watch);
      stuck();
    }, limit / LOOKS);
    this.#watch.unref();
  }

  /** Ends a thread that is stuck. One whose kernel does not return cannot be ended: then only a new process helps. */
  #end(worker: Worker): void {
    void worker.terminate();
    setTimeout(() => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      const sentence = 'The computing thread is stuck in a kernel and cannot be ended: restart Statescope.';
      this.listener.onCrash(sentence);
      this.#fail(sentence);
    }, END_SECONDS * 1000).unref();
  }

  /** @throws ServiceError with the worker's refusal, or 503 when there is no worker. */
  call<M extends MethodName>(method: M, argument: WorkerMethods[M]['argument']): Promise<WorkerMethods[M]['result']> {
    this.start();
    const worker = this.#worker;
    if (!worker || this.status === 'failed')
      return Promise.reject(new ServiceError(503, this.error ?? 'The worker is not running.'));
    return this.#calls.ask(worker, (call) => ({ kind: 'request', call, method, argument }));
  }

  /** Resolves once the thread is ready or has failed. */
  opened(): Promise<void> {
    this.start();
    if (this.status !== 'starting') return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #settle(status: 'ready' | 'failed'): void {
    this.status = status;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Tells the thread, and those that follow it, of folders that were added or are gone. */
  setFolders(folders: FoldersState): void {
    this.#folders = folders;
    this.#tell({ kind: 'folders', folders });
  }

  #tell(told: Told): void {
    this.#worker?.postMessage(told);
  }

  /** Ends the thread at once and for good; pending calls are refused. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    clearInterval(this.#watch);
    this.#fail('The server is shutting down.');
    await worker?.terminate();
  }

  #receive(message: Message): void {
    switch (message.kind) {
      case 'ready':
        this.device = message.device;
        this.keepsHalves = message.keepsHalves;
        this.packing = message.packing;
        this.#settle('ready');
        this.#deaths = 0;
        return;
      case 'unusable':
        this.#fail(message.message);
        return;
      case 'result':
        this.#calls.resolve(message.call, message.result);
        return;
      case 'refusal': {
        const { status, message: text, hint } = message.refusal;
        this.#calls.reject(message.call, new ServiceError(status, text, hint));
        return;
      }
      case 'update':
        this.listener.onUpdate(message.id, message.update);
        return;
      case 'analysis':
        this.listener.onAnalysis(message.id, message.update);
        return;
      case 'token':
        this.listener.onToken(message.id, message.token);
        return;
      case 'ask':
        void this.#answer(message);
        return;
      case 'loaded':
        this.listener.onLoaded(message.models);
        return;
      case 'observed':
        this.listener.onObserved(message.observation, message.probe);
        return;
      case 'released':
        this.listener.onReleased(message.ids);
    }
  }

  async #answer(message: Extract<Message, { kind: 'ask' }>): Promise<void> {
    const { ask } = message;
    try {
      this.#tell({ kind: 'answer', ask, result: await this.listener.onAsk(message) });
    } catch (error) {
      this.#tell({ kind: 'answer', ask, refusal: refusalOf(error) });
    }
  }

  #fail(message: string): void {
    this.error = message;
    this.#settle('failed');
    this.#calls.rejectAll(message);
  }

  #died(reason: string): void {
    this.#worker = null;
    clearInterval(this.#watch);
    this.device = null;
    const sentence = `The computing thread stopped unexpectedly (${reason.replace(/\.+$/, '')}).`;
    if (this.status === 'failed') return;
    this.#deaths += 1;
    this.restarts = { count: (this.restarts?.count ?? 0) + 1, at: Date.now(), reason: sentence };
    this.listener.onCrash(sentence);
    this.#calls.rejectAll(`${sentence} It is being started again.`);
    if (this.#deaths < ATTEMPTS) this.start();
    else
      this.#fail(`${sentence} It did not start in ${ATTEMPTS} attempts: see the server's log and restart Statescope.`);
  }
}
