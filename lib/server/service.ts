import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttributionQuery, AttributionReply, SnrReply, SnrRequest } from '@/lib/api/analyses';
import type {
  ChannelsQuery,
  ExampleList,
  Health,
  LensQuery,
  MapQuery,
  ModelSummary,
  Pair,
  PairQuery,
  RolloutQuery,
  Run,
  RunEvent,
  RunList,
  RunRequest,
  Signal,
  SignalQuery,
  ThumbnailsQuery,
  Token,
  TokenizeRequest,
  VocabularyEntry,
} from '@/lib/api/schemas';
import { DeviceWorker } from './device-worker';
import { ServiceError } from './errors';
import { readExamples } from './examples';
import type { Body } from './protocol';
import { RunBook } from './run-book';
import { readSettings, type Settings } from './settings';

/** Everything that the route handlers need: one per process. */
export class Service {
  readonly worker: DeviceWorker;
  readonly runs: RunBook;
  readonly version: string;

  constructor(readonly settings: Settings = readSettings()) {
    this.worker = new DeviceWorker(settings, {
      onUpdate: (id, update) => this.runs.update(id, update),
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
    );
    this.version = JSON.parse(readFileSync(join(settings.root, 'package.json'), 'utf8')).version;
  }

  start(): void {
    this.worker.start();
  }

  /** Never waits for the worker. */
  health(): Health {
    const { status, device, error } = this.worker;
    return {
      status,
      version: this.version,
      device,
      queue: this.runs.load,
      memory: { residentBytes: process.memoryUsage.rss() },
      ...(error ? { error } : {}),
    };
  }

  models = (): Promise<ModelSummary[]> => this.worker.call('models', null);
  examples = (): Promise<ExampleList> => readExamples(this.settings.root);
  tokenize = (request: TokenizeRequest): Promise<Token[]> => this.worker.call('tokenize', request);
  vocabulary = (model: string, q: string, limit?: number): Promise<VocabularyEntry[]> =>
    this.worker.call('vocabulary', { model, q, limit });

  /** Checks the whole request before it is queued: a run that was accepted can only fail by an internal error. */
  async createRun(request: RunRequest): Promise<Run> {
    this.runs.checkRoom();
    return this.runs.add(request, await this.worker.call('prepare', request));
  }

  run = (id: string): Run => this.runs.get(id);
  listRuns = (): RunList => this.runs.list();
  cancelRun = (id: string): Run => this.runs.cancel(id);
  subscribe = (id: string, listener: (event: RunEvent) => void): (() => void) => this.runs.subscribe(id, listener);

  async map(id: string, query: MapQuery): Promise<Body> {
    this.#readable(id, query.model);
    return this.worker.call('map', { id, query });
  }

  async channels(id: string, query: ChannelsQuery): Promise<Body> {
    this.#readable(id, query.model);
    return this.worker.call('channels', { id, query });
  }

  async pair(id: string, query: PairQuery): Promise<Pair> {
    this.#readable(id, query.model);
    return this.worker.call('pair', { id, query });
  }

  async rollout(id: string, query: RolloutQuery): Promise<Body> {
    this.#readable(id, query.model);
    return this.worker.call('rollout', { id, query });
  }

  async thumbnails(id: string, query: ThumbnailsQuery): Promise<Body> {
    this.#readable(id, query.model);
    return this.worker.call('thumbnails', { id, query });
  }

  async lens(id: string, query: LensQuery): Promise<Body> {
    this.#readable(id, query.model);
    return this.worker.call('lens', { id, query });
  }

  async signal(id: string, query: SignalQuery): Promise<Signal> {
    this.#readable(id, query.model);
    return this.worker.call('signal', { id, query });
  }

  async attribution(id: string, query: AttributionQuery): Promise<AttributionReply> {
    this.#readable(id, query.model);
    return this.worker.call('attribution', { id, query });
  }

  snr = (request: SnrRequest): Promise<SnrReply> => this.worker.call('snr', request);

  /** @throws ServiceError 404 for an unknown run or model index, 409 before it has started or after its release. */
  #readable(id: string, model = 0): void {
    const run = this.runs.get(id);
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

/** Ends the worker and forgets the service. */
export async function closeService(): Promise<void> {
  const holder = globalThis as { [KEY]?: Service };
  const current = holder[KEY];
  delete holder[KEY];
  await current?.worker.close();
}
