import { entryLabels } from '@/lib/analysis';
import type { ReadingBody, ReadingName, ReadingQuery } from '@/lib/api/readings';
import type { RunModel } from '@/lib/api/schemas';
import type { AnalysisUpdate, Message, MethodName, ReadingJob, Request, RunUpdate, WorkerMethods } from '../protocol';
import type { Settings } from '../settings';
import { type Withdrawn, withdrawnBy } from './cancelling';
import { AllocationBatches } from './causal/allocation-batches';
import type { Words } from './causal/batch-examples';
import { runTest } from './causal/causal';
import { FaithfulnessBatches } from './causal/faithfulness-batches';
import { SnrBatches } from './causal/snr-batches';
import { ChannelReadouts } from './maps/channels';
import { FormMaps } from './maps/form-maps';
import { Maps } from './maps/maps';
import { Rollouts } from './maps/rollouts';
import { tracksBody } from './maps/tracks';
import { Catalogue } from './models/catalogue';
import { LoadedModels } from './models/loaded-models';
import type { FoldersState } from './models/model-folders';
import { Allocations } from './runs/allocations';
import { answerOf } from './runs/answers';
import { Attributions } from './runs/attributions';
import { generate } from './runs/generation';
import { type Observation, Pace } from './runs/pace';
import { probe } from './runs/probe';
import { Readouts } from './runs/readouts';
import type { ModelRecord } from './runs/record';
import { Runner } from './runs/runner';
import { RunStore } from './runs/store';

type Argument<M extends MethodName> = WorkerMethods[M]['argument'];

/** Bundled models heavier than this are not loaded before somebody asks for them. */
const WARM_UP_PARAMETERS = 20e6;
const WARM_UP_TOKENS = 32;
const WARM_UP = 'warm-up';

/** Everything the worker does, apart from its message port. */
export class Computer {
  readonly #catalogue: Catalogue;
  readonly #models: LoadedModels;
  readonly #maps: Maps;
  readonly #formMaps: FormMaps;
  readonly #rollouts: Rollouts;
  readonly #readouts: Readouts;
  readonly #attributions: Attributions;
  readonly #snr: SnrBatches;
  readonly #allocations: Allocations;
  readonly #allocationBatches: AllocationBatches;
  readonly #faithfulness: FaithfulnessBatches;
  readonly #channels: ChannelReadouts;
  readonly #store: RunStore;
  readonly #pace = new Pace();
  readonly #stopWarmUp = new Int32Array(1);

  constructor(
    private readonly settings: Settings,
    private readonly send: (message: Message) => void,
    words: Words,
    folders?: FoldersState,
  ) {
    this.#catalogue = new Catalogue(settings.root, settings.dataFolder, folders);
    this.#models = new LoadedModels(this.#catalogue, settings.modelBytes, settings.weights, (models) =>
      send({ kind: 'loaded', models }),
    );
    this.#maps = new Maps(settings.mapBytes);
    this.#formMaps = new FormMaps(this.#models, settings.mapBytes);
    this.#rollouts = new Rollouts(this.#models, this.#maps, settings.mapBytes);
    this.#allocations = new Allocations(this.#models);
    this.#readouts = new Readouts(this.#models, this.#catalogue, this.#allocations);
    this.#attributions = new Attributions(this.#models);
    this.#snr = new SnrBatches(this.#catalogue, this.#models, settings, words);
    this.#allocationBatches = new AllocationBatches(this.#catalogue, this.#models, settings, words);
    this.#faithfulness = new FaithfulnessBatches(this.#catalogue, this.#models, settings, words);
    this.#channels = new ChannelReadouts(this.#models);
    const onReleased = (ids: string[]) => {
      this.#forgetMaps(ids);
      this.send({ kind: 'released', ids });
    };
    this.#store = new RunStore(settings.runBytes, onReleased, settings.dataFolder);
  }

  readonly #methods: { [M in MethodName]: (argument: Argument<M>) => Promise<WorkerMethods[M]['result']> } = {
    run: async (run) => {
      this.#stopWarmUp[0] = 1;
      await this.#store.recall(run.id);
      return this.#run(run, (update) => this.send({ kind: 'update', id: run.id, update }));
    },
    keep: ({ id, limit }) => this.#store.keep(id, limit),
    forget: async (id) => {
      this.#store.forget(id);
      this.#forgetMaps([id]);
      return null;
    },
    read: (job) => this.read(job),
    analyse: ({ id, analysis, cancel }) => {
      this.#stopWarmUp[0] = 1;
      const tell = (update: AnalysisUpdate) => this.send({ kind: 'analysis', id, update });
      if ('task' in analysis) return this.#snr.run({ id, analysis, cancel }, tell);
      if ('allocation' in analysis) return this.#allocationBatches.run({ id, analysis, cancel }, tell);
      if ('faithfulness' in analysis) return this.#faithfulness.run({ id, analysis, cancel }, tell);
      return runTest({ id, analysis, cancel }, this.#models, tell);
    },
    generate: (job) => {
      this.#stopWarmUp[0] = 1;
      return generate(job, this.#models, (token) => this.send({ kind: 'token', id: job.id, token }));
    },
  };

  /** How each reading is computed. */
  readonly #readers: { readonly [N in ReadingName]: Reader<N> } = {
    map: (record, id, query, withdrawn) =>
      isAlone(query) ? this.#maps.map(record, id, query) : this.#formMaps.map(record, id, query, withdrawn),
    'map/estimate': (record, id, query) =>
      isAlone(query) ? this.#maps.estimate(record, id, query) : this.#formMaps.estimate(record, id, query),
    channels: (record, _id, query) => this.#channels.channels(record, query),
    tracks: (record, _id, query) => tracksBody(record, query),
    pair: (record, _id, query) => this.#channels.pair(record, query),
    rollout: (record, id, query, withdrawn) => this.#rollouts.body(record, id, query, withdrawn),
    thumbnails: (record, id, query, withdrawn) =>
      (isAlone(query) ? this.#maps : this.#formMaps).thumbnails(record, id, query, withdrawn),
    lens: (record, _id, query) => this.#readouts.lensBody(record, query),
    signal: (record, _id, query, withdrawn) => this.#readouts.signal(record, query, withdrawn),
    attribution: (record, _id, query) => this.#attributions.attribution(record, query),
    answer: (record, _id, query) => answerOf(this.#models, record, query),
    allocation: (record, _id, query, withdrawn) => this.#allocations.allocation(record, query, withdrawn),
  };

  /** @throws ServiceError 409 for what the run does not have yet or any more, and as the reading itself does. */
  async read<N extends ReadingName>({ id, name, query, withdrawn }: ReadingJob<N>): Promise<ReadingBody<N>> {
    await this.#store.recall(id);
    const reader: Reader<N> = this.#readers[name];
    return reader(this.#store.model(id, query.model), id, query, withdrawnBy(withdrawn));
  }

  /** The folders that were added, as the threads that read them say. */
  set folders(folders: FoldersState) {
    this.#catalogue.folders = folders;
  }

  #forgetMaps(runs: readonly string[]): void {
    for (const maps of [this.#maps, this.#formMaps, this.#rollouts]) maps.forget(runs);
  }

  /** @throws ServiceError, InputError. */
  async answer<M extends MethodName>(method: M, argument: Argument<M>): Promise<WorkerMethods[M]['result']>;
  async answer(method: Request['method'], argument: Request['argument']): Promise<unknown> {
    return this.#methods[method](argument as never);
  }

  /** Learns how fast the device is, before anything is asked of it. */
  calibrate(): Promise<void> {
    return probe(this.settings.weights, (observation) => this.#observe(observation, true));
  }

  #observe(observation: Observation, probe: boolean): void {
    this.#pace.add(observation, probe);
    this.send({ kind: 'observed', observation, probe });
  }

  /**
   * Loads the bundled models and runs a few tokens through each, so that the first run finds weights on the
   * device and code compiled. Gives way as soon as a run is asked for.
   */
  async warmUp(): Promise<void> {
    try {
      const bundled = new Set(await this.#catalogue.bundled());
      for (const { name, parameters, layers, hasTokenizer } of (await this.#catalogue.list()).models) {
        if (this.#stopWarmUp[0] !== 0) return;
        if (!bundled.has(name) || parameters > WARM_UP_PARAMETERS || !hasTokenizer) continue;
        await this.#run(
          { id: WARM_UP, models: [warmUpRequest(name, layers.length)], cancel: this.#stopWarmUp },
          () => undefined,
          // Its stages are too small to say anything; the probe has shown them.
          (observation) => isBesideStages(observation) && this.#observe(observation, false),
        );
        this.#store.forget(WARM_UP);
        this.#forgetMaps([WARM_UP]);
      }
    } catch (error) {
      console.error('Warming up failed:', error);
    }
  }

  /** @param observed told what the stages took */
  #run(
    run: Argument<'run'>,
    tell: (update: RunUpdate) => void,
    observed: (observation: Observation) => unknown = (observation) => this.#observe(observation, false),
  ): Promise<'done' | 'cancelled'> {
    const tools = {
      catalogue: this.#catalogue,
      models: this.#models,
      store: this.#store,
      maps: this.#maps,
      pace: this.#pace,
      observed,
    };
    return new Runner(run, tools, tell).execute();
  }
}

const isBesideStages = ({ cost }: Observation) => cost.model !== undefined || cost.run !== undefined;

/** Computes one reading of a run. */
type Reader<N extends ReadingName> = (
  record: ModelRecord,
  run: string,
  query: ReadingQuery<N>,
  withdrawn: Withdrawn,
) => ReadingBody<N> | Promise<ReadingBody<N>>;

/** Whether a map is that of a mixer alone, which every run has. */
const isAlone = ({ form }: Pick<ReadingQuery<'map'>, 'form'>) => form === 's6' || form === 'softmax';

/** A run over the first token ids of the vocabulary, whatever they mean. */
function warmUpRequest(name: string, layers: number): RunModel {
  const tokens = Array.from({ length: WARM_UP_TOKENS }, (_, i) => ({ id: i % 2, text: '', start: 0, end: 0 }));
  return {
    name,
    tokens,
    position: WARM_UP_TOKENS - 1,
    needle: null,
    target: { id: 0, text: '' },
    candidates: [],
    entries: entryLabels(layers),
    blocks: [],
    mapsReady: 0,
    signalReady: false,
    lensReady: false,
  };
}
