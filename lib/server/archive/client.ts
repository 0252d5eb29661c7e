import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { RunList } from '@/lib/api/schemas';
import { Calls } from '../calls';
import { ServiceError } from '../errors';
import { archivePath, databaseTemplate, migrationsFolder, type Settings } from '../settings';
import type { ArchiveMethod, ArchiveMethods, ArchiveReply, ArchiveStart } from './protocol';

/** Time between two tries to open the archive: it doubles from the first to the last. */
const RETRY_MS = { first: 500, last: 5000 };

/**
 * The web server's handle of the archive. Its thread starts with the first call. One that dies is started again by the next
 * call; a database that cannot be reached is tried again until it comes back.
 */
export class ArchiveClient {
  #state: RunList['archive']['state'];
  #message: string | undefined;
  #worker: Worker | null = null;
  readonly #calls = new Calls();
  #delay = RETRY_MS.first;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Stays the same while the server lives, however often the store is opened. */
  readonly #instance = randomUUID();

  constructor(
    private readonly settings: Settings,
    /** Called whenever the archive has opened. */
    private readonly onOpen: () => void = () => undefined,
  ) {
    this.#state = settings.dataFolder === null ? 'off' : 'unopened';
  }

  get status(): Pick<RunList['archive'], 'state' | 'message'> {
    return { state: this.#state, ...(this.#message ? { message: this.#message } : {}) };
  }

  /** Whether a call is worth making; why not is in `status`. */
  get usable(): boolean {
    return this.#state === 'unopened' || this.#state === 'opening' || this.#state === 'open';
  }

  /** Whether this server keeps runs at all. */
  get on(): boolean {
    return this.#state !== 'off';
  }

  /** Opens it where this server keeps runs; resolves once it is open, or has said why it is not. */
  async open(): Promise<void> {
    if (this.on) await this.call('open', null).catch(() => undefined);
  }

  /** @throws ServiceError 503 when the archive is off, cannot be opened, or fails. */
  call<M extends ArchiveMethod>(
    method: M,
    argument: ArchiveMethods[M]['argument'],
  ): Promise<ArchiveMethods[M]['result']> {
    const worker = this.usable ? (this.#worker ?? this.#start()) : null;
    if (!worker) return Promise.reject(new ServiceError(503, this.#message ?? 'This server keeps no runs.'));
    return this.#send(worker, method, argument);
  }

  /** Ends the database in good order and for good; what was called before is finished first. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#worker) await this.#send(this.#worker, 'close', null).catch(() => undefined);
    const worker = this.#worker;
    this.#worker = null;
    if (this.#state !== 'off') this.#state = 'failed';
    this.#message ??= 'The server is shutting down.';
    await worker?.terminate();
  }

  #send<M extends ArchiveMethod>(
    worker: Worker,
    method: M,
    argument: ArchiveMethods[M]['argument'],
  ): Promise<ArchiveMethods[M]['result']> {
    return this.#calls.ask(worker, (call) => ({ call, method, argument }));
  }

  #start(): Worker | null {
    const { dataFolder, dataBytes: limit, databaseUrl } = this.settings;
    const path = archivePath(this.settings);
    if (dataFolder === null || !existsSync(path)) {
      this.#fail('Runs are not kept: run "npm run setup" and start Statescope again.');
      return null;
    }
    const workerData: ArchiveStart = {
      folder: dataFolder,
      migrations: migrationsFolder(this.settings),
      template: databaseTemplate(this.settings),
      limit,
      databaseUrl,
      instance: this.#instance,
    };
    // The URL is made at run time and the bundler must not follow it.
    const worker = new Worker(/* turbopackIgnore: true */ pathToFileURL(path), { workerData });
    this.#worker = worker;
    if (this.#state === 'unopened') this.#state = 'opening';
    worker.unref();
    worker.on('message', (reply: ArchiveReply) => this.#receive(reply));
    worker.on('error', (error) => console.error('The archive of runs stopped:', error));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#calls.rejectAll('The archive of runs stopped; it is opened again when needed.');
    });
    return worker;
  }

  #receive(reply: ArchiveReply): void {
    if (reply.kind === 'open') {
      this.#state = 'open';
      this.#message = undefined;
      this.#delay = RETRY_MS.first;
      this.onOpen();
    } else if (reply.kind === 'closed') {
      this.#fail(reply.message);
      if (reply.again) this.#tryAgain();
    } else if (reply.kind === 'result') this.#calls.resolve(reply.call, reply.result);
    else this.#calls.reject(reply.call, new ServiceError(reply.status ?? 503, reply.message));
  }

  #tryAgain(): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      const worker = this.#worker ?? this.#start();
      if (worker) this.#send(worker, 'open', null).catch(() => undefined);
    }, this.#delay);
    this.#retry.unref();
    this.#delay = Math.min(2 * this.#delay, RETRY_MS.last);
  }

  #fail(message: string): void {
    this.#state = 'failed';
    if (message !== this.#message && !this.#closed) console.error(message);
    this.#message = message;
    this.#calls.rejectAll(message);
  }
}
