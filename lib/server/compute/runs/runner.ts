import { setImmediate as turn } from 'node:timers/promises';
import type { Readout, Stage } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import type { RunUpdate, WorkerMethods } from '../../protocol';
import { blockSummary, meanLambda } from '../maps/branches';
import type { Maps } from '../maps/maps';
import type { Catalogue } from '../models/catalogue';
import { changeSince, type LoadedModels } from '../models/loaded-models';
import { blockStages, type Cost, loadingCost, runCost, sum } from './costs';
import { activationBytes, Forecast } from './estimate';
import { forwardInto } from './forward';
import type { Observation, Pace } from './pace';
import { readoutOf } from './readouts';
import { isComplete, type ModelRecord } from './record';
import type { RunStore } from './store';

export interface Tools {
  readonly catalogue: Catalogue;
  readonly models: LoadedModels;
  readonly store: RunStore;
  readonly maps: Maps;
  readonly pace: Pace;
  /** Told of what a stage took. */
  observed(observation: Observation): unknown;
}

/** Share of a run that its beginning is weighed against, where the device is known. */
const TRUSTED = 0.1;

/** Unwinds a run that was asked to stop. */
class Cancelled extends Error {}

/**
 * Computes one run: for each model the forward pass block by block with each block's default map right after
 * it, and what the layer says at the token that is read; the lens elsewhere is computed when it is asked for. What an earlier start of the run has computed stays. Between any two steps the event loop turns once, so that other requests are
 * answered and a cancel is seen. A model that fails does not stop the other.
 * @throws Error at the end, when a model failed.
 */
export class Runner {
  readonly #failures: string[] = [];
  #records: ModelRecord[] = [];
  #forecast = new Forecast(0);
  /** Parts of the forecast. */
  #share: (cost: Cost) => number = () => 0;
  #stagesMs = 0;

  constructor(
    private readonly run: WorkerMethods['run']['argument'],
    private readonly tools: Tools,
    private readonly tell: (update: RunUpdate) => void,
  ) {}

  async execute(): Promise<'done' | 'cancelled'> {
    const { id, models } = this.run;
    const configs = await Promise.all(models.map(({ name }) => this.tools.catalogue.config(name)));
    const total = (value: (config: ModelConfig, L: number) => number) =>
      configs.reduce((bytes, config, m) => bytes + value(config, models[m].tokens.length), 0);
    this.#records = this.tools.store.begin(id, total(activationBytes));
    this.#forecast = await this.#forecastOf(configs);
    const start = performance.now();
    try {
      for (const m of models.keys()) await this.#attempt(m, () => this.#forward(m));
    } catch (error) {
      if (error instanceof Cancelled) return 'cancelled';
      throw error;
    } finally {
      this.tools.store.end(id);
    }
    if (this.#failures.length > 0) throw new Error(this.#failures.join(' '));
    this.tools.observed({ cost: { run: models.length }, seconds: (performance.now() - start - this.#stagesMs) / 1000 });
    return 'done';
  }

  /** Of what is still to do, loading included. */
  async #forecastOf(configs: readonly ModelConfig[]): Promise<Forecast> {
    const { models } = this.run;
    const { catalogue, pace, models: loaded } = this.tools;
    const toLoad = [...new Set(models.map(({ name }) => name))].filter((name) => !loaded.has(name));
    const loading = await Promise.all(toLoad.map(async (name) => loadingCost(await catalogue.parameters(name))));
    const computing = configs.map((config, m) =>
      runCost(config, models[m].tokens.length, this.#records[m]?.blocks.length),
    );
    const cost = sum([...loading, ...computing]);
    this.#share = pace.shares();
    const total = this.#share(cost);
    return new Forecast(total, pace.expect(cost) === null ? 0 : TRUSTED * total);
  }

  /** Tells what a stage took. */
  #took(cost: Cost, ms: number): void {
    this.#stagesMs += ms;
    this.tools.observed({ cost, seconds: ms / 1000 });
  }

  async #forward(m: number): Promise<void> {
    const { id, models } = this.run;
    const request = models[m];
    const known = this.#records[m];
    if (known && isComplete(known)) return this.#lensReady(m);
    await this.#step(m, 'loading', 0, 1);
    let read = 0;
    let unread: Error | undefined;
    const onProgress = (parameters: number, total: number) => {
      this.#forecast.add(this.#share({ parameter: parameters - read }));
      read = parameters;
      this.#tellStep(m, 'loading', parameters, total);
    };
    const asked = performance.now();
    const forward = async (model: Model, fingerprint: string) => {
      if (read > 0) {
        this.#forecast.add(this.#share({ model: 1 }));
        this.#took(loadingCost(read), performance.now() - asked);
      }
      const change = known && changeSince(known.fingerprint, fingerprint);
      if (change) throw new Error(`since this run was started ${change}; run the prompt again.`);
      const { config } = model;
      const L = request.tokens.length;
      const record: ModelRecord = known ?? { request, config, fingerprint, L, residuals: [], blocks: [] };
      this.#records[m] = record;
      if (!known) this.tell({ type: 'blocks', model: m, blocks: config.blocks.map(blockSummary) });
      const next = models[m + 1]?.name;
      if (next) void this.#ahead(next);
      const first = record.blocks.length;
      const ms = { forward: 0, keeping: 0, map: 0, readout: 0 };
      let [begun, computedAt] = [0, 0];
      // A target that cannot be read leaves the maps as they are.
      const says = (i: number, residual: Float32Array): Readout[] => {
        try {
          return unread ? [] : readoutOf(model, record, i, residual);
        } catch (error) {
          unread = error as Error;
          return [];
        }
      };
      try {
        await forwardInto(record, model, {
          before: async (i) => {
            await this.#step(m, 'forward', i, config.blocks.length);
            begun = performance.now();
          },
          computed: () => {
            computedAt = performance.now();
            ms.forward += computedAt - begun;
          },
          after: (i, block, residual) => {
            const end = performance.now();
            ms.keeping += end - computedAt;
            this.tools.maps.add({ run: id, model: m, layer: i }, config.blocks[i], block, L);
            const drawn = performance.now();
            ms.map += drawn - end;
            const readout = says(i, residual);
            ms.readout += performance.now() - drawn;
            this.#forecast.add(this.#share(sum(Object.values(blockStages(config, config.blocks[i], L)))));
            this.tell({ type: 'layer', model: m, layer: i, lambda: meanLambda(block.lambda), readout });
          },
        });
        this.#tellStep(m, 'forward', config.blocks.length, config.blocks.length);
      } finally {
        if (record.blocks.length > 0) this.tell({ type: 'signal', model: m, forwardMs: ms.forward + ms.keeping });
        const done = config.blocks.slice(first, record.blocks.length).map((block) => blockStages(config, block, L));
        for (const stage of ['forward', 'keeping', 'map', 'readout'] as const)
          this.#took(sum(done.map((costs) => costs[stage])), ms[stage]);
      }
    };
    await this.tools.models.use(request.name, forward, { onProgress });
    if (unread) throw unread;
    this.#lensReady(m);
  }

  /** Every layer is there, and so is the lens of any position that is asked for. */
  #lensReady(m: number): void {
    this.tell({ type: 'lens', model: m });
  }

  /** Loads the next model while this one computes; its time is no measure, since the two share the machine. */
  async #ahead(name: string): Promise<void> {
    let read = 0;
    const onProgress = (parameters: number) => {
      this.#forecast.add(this.#share({ parameter: parameters - read }));
      read = parameters;
    };
    await this.tools.models.ahead(name, { onProgress });
    if (read > 0) this.#forecast.add(this.#share({ model: 1 }));
  }

  #tellStep(model: number, stage: Stage, layer: number, layers: number): void {
    const { secondsLeft, share } = this.#forecast;
    this.tell({ type: 'progress', progress: { model, stage, layer, layers, secondsLeft, share } });
  }

  async #step(model: number, stage: Stage, layer: number, layers: number): Promise<void> {
    this.#tellStep(model, stage, layer, layers);
    await turn();
    if (Atomics.load(this.run.cancel, 0) !== 0) throw new Cancelled();
  }

  async #attempt(m: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Cancelled) throw error;
      const message = `${this.run.models[m].name}: ${(error as Error).message}`;
      this.#failures.push(message);
      this.tell({ type: 'failure', model: m, message });
    }
  }
}
