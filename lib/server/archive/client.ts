import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { RunList } from '@/lib/api/schemas';
import { ServiceError } from '../errors';
import { archivePath, databaseTemplate, migrationsFolder, type Settings } from '../settings';
import type { ArchiveMethod, ArchiveMethods, ArchiveReply, ArchiveStart } from './protocol';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * The web server's handle of the archive. Its thread starts with the first call, so a server that nobody asks for a
 * kept run never opens the database. A thread that dies is started again by the next call.
 */
export class ArchiveClient {
  #state: RunList['archive']['state'];
  #message: string | undefined;
  #worker: Worker | null = null;
  #pending = new Map<number, Pending>();
  #calls = 0;

  constructor(private readonly settings: Settings) {
    this.#state = settings.dataFolder === null ? 'off' : 'opening';
  }

  get status(): RunList['archive'] {
    const { dataBytes: limitBytes } = this.settings;
    return { state: this.#state, limitBytes, ...(this.#message ? { message: this.#message } : {}) };
  }

  /** False when runs are not kept, and why is in `status`. */
  get usable(): boolean {
    return this.#state === 'opening' || this.#state === 'open';
  }

  /** @throws ServiceError 503 when the archive is off, cannot be opened, or fails. */
  call<M extends ArchiveMethod>(
    method: M,
    argument: ArchiveMethods[M]['argument'],
  ): Promise<ArchiveMethods[M]['result']> {
    const worker = this.usable ? (this.#worker ?? this.#start()) : null;
    if (!worker) return Promise.reject(new ServiceError(503, this.#message ?? 'This server keeps no runs.'));
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve: resolve as Pending['resolve'], reject });
      worker.postMessage({ call, method, argument });
    });
  }

  /** Ends the database in good order and for good; what was called before is finished first. */
  async close(): Promise<void> {
    if (this.#worker) await this.call('close', null).catch(() => undefined);
    const worker = this.#worker;
    this.#worker = null;
    if (this.#state !== 'off') this.#state = 'failed';
    this.#message ??= 'The server is shutting down.';
    await worker?.terminate();
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
    };
    // The URL is made at run time and the bundler must not follow it.
    const worker = new Worker(/* turbopackIgnore: true */ pathToFileURL(path), { workerData });
    this.#worker = worker;
    worker.unref();
    worker.on('message', (reply: ArchiveReply) => this.#receive(reply));
    worker.on('error', (error) => console.error('The archive of runs stopped:', error));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#rejectAll('The archive of runs stopped; it is opened again when needed.');
    });
    return worker;
  }

  #receive(reply: ArchiveReply): void {
    if (reply.kind === 'open') this.#state = 'open';
    else if (reply.kind === 'closed') this.#fail(reply.message);
    else {
      const pending = this.#pending.get(reply.call);
      this.#pending.delete(reply.call);
      if (reply.kind === 'result') pending?.resolve(reply.result);
      else pending?.reject(new ServiceError(503, `The archive of runs failed: ${reply.message}`));
    }
  }

  #fail(message: string): void {
    this.#state = 'failed';
    this.#message = message;
    console.error(message);
    this.#rejectAll(message);
  }

  #rejectAll(message: string): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new ServiceError(503, message));
  }
}
