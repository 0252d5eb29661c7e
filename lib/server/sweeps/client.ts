import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Sweep, SweepRequest, SweepStatus } from '@/lib/api/sweeps';
import { type JobsPlace, jobsFolder } from '@/lib/jobs/place';
import { databaseFolder } from '../archive/places';
import { Calls } from '../calls';
import { ServiceError } from '../errors';
import { type Settings, sweepsPath } from '../settings';
import type { SweepsMethod, SweepsMethods, SweepsReply, SweepsStart } from './protocol';

/** The embedded database is given back so long after the last question and item (ms): the command line may want it. */
const IDLE_MS = 15_000;

/** Time that a thread gets to end in good order. */
const CLOSE_MS = 1500;

/**
 * The web server's handle of sweeps. Its thread starts with the first question, or with the server where an earlier one has left
 * a sweep unfinished, and ends when there has been nothing to do for a while.
 */
export class SweepsClient {
  #worker: Worker | null = null;
  #ending: Promise<void> | undefined;
  readonly #calls = new Calls();
  #lastAsked = 0;
  #watch: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(private readonly settings: Settings) {}

  /** Goes on with what an earlier server has left. What cannot be opened now is tried again when somebody asks. */
  async start(): Promise<void> {
    const place = this.#place();
    if (!place || this.settings.readOnly) return;
    if (this.#isEmpty()) return;
    try {
      const left = await this.#call('resume', null);
      // Somebody may have asked meanwhile.
      if (!left && this.#calls.size === 0) await this.#end();
    } catch (error) {
      console.error((error as Error).message);
    }
  }

  /** @throws ServiceError 404, 422, 503 */
  submit(request: SweepRequest, retry: boolean): Promise<SweepStatus> {
    return this.#call('submit', { request, retry });
  }

  /** Who only asks makes no database. @throws ServiceError 422, 503 */
  async list(): Promise<SweepStatus[]> {
    return this.#isEmpty() ? [] : this.#call('list', null);
  }

  /** @throws ServiceError 404, 422, 503 */
  async get(id: string): Promise<Sweep> {
    this.#mayHave(id);
    return this.#call('get', id);
  }

  /** @throws ServiceError 404, 422, 503 */
  async cancel(id: string): Promise<SweepStatus> {
    this.#mayHave(id);
    return this.#call('cancel', id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  #place(): JobsPlace | null {
    const { root, dataFolder, databaseUrl } = this.settings;
    return dataFolder === null && !databaseUrl ? null : { root, folder: dataFolder ?? root, databaseUrl };
  }

  /** Whether there is an embedded database, and nobody has ever made a sweep. */
  #isEmpty(): boolean {
    const place = this.#place();
    return place !== null && !place.databaseUrl && !existsSync(databaseFolder(jobsFolder(place)));
  }

  #mayHave(id: string): void {
    if (this.#isEmpty()) throw new ServiceError(404, `There is no sweep ${id} in this database.`);
  }

  async #call<M extends SweepsMethod>(
    method: M,
    argument: SweepsMethods[M]['argument'],
  ): Promise<SweepsMethods[M]['result']> {
    await this.#ending;
    if (this.#closed) throw new ServiceError(503, 'The server is shutting down.');
    const worker = this.#worker ?? this.#start();
    this.#lastAsked = Date.now();
    return this.#calls.ask(worker, (call) => ({ call, method, argument }));
  }

  /** @throws ServiceError 422 where there is no place for sweeps, 503 before Statescope is set up */
  #start(): Worker {
    const place = this.#place();
    if (!place)
      throw new ServiceError(
        422,
        'Sweeps need a place, and this server keeps nothing (STATESCOPE_DATA is "none"): set it to a folder.',
      );
    const path = sweepsPath(this.settings);
    if (!existsSync(path)) throw new ServiceError(503, 'Sweeps are not set up: run "npm run setup" and start again.');
    const workerData: SweepsStart = { place, weights: this.settings.weights };
    // The URL is made at run time and the bundler must not follow it.
    const worker = new Worker(/* turbopackIgnore: true */ pathToFileURL(path), { workerData });
    this.#worker = worker;
    worker.unref();
    worker.on('message', (reply: SweepsReply) => this.#receive(reply));
    worker.on('error', (error) => console.error('The thread of sweeps stopped:', error));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      clearInterval(this.#watch);
      this.#calls.rejectAll('The thread of sweeps stopped; ask again, and it goes on.');
    });
    if (!place.databaseUrl) this.#watch = setInterval(() => this.#endWhenIdle(), IDLE_MS / 5);
    this.#watch?.unref();
    return worker;
  }

  #endWhenIdle(): void {
    if (this.#calls.size > 0 || Date.now() - this.#lastAsked < IDLE_MS) return;
    const asked = this.#lastAsked;
    void this.#call('isIdle', null).then(
      (idle) => {
        const nothingNew = this.#calls.size === 0;
        this.#lastAsked = asked;
        if (idle && nothingNew) void this.#end();
      },
      () => undefined,
    );
  }

  #end(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return this.#ending ?? Promise.resolve();
    this.#ending ??= (async () => {
      clearInterval(this.#watch);
      const done = this.#calls
        .ask(worker, (call) => ({ call, method: 'close', argument: null }))
        .catch(() => undefined);
      const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([done, late]);
      await worker.terminate();
      this.#ending = undefined;
    })();
    return this.#ending;
  }

  #receive(reply: SweepsReply): void {
    if (reply.kind === 'result') this.#calls.resolve(reply.call, reply.result);
    else {
      const { status, message, hint } = reply.refusal;
      this.#calls.reject(reply.call, new ServiceError(status, message, hint));
    }
  }
}
