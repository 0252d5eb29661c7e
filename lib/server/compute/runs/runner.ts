import { setImmediate as turn } from 'node:timers/promises';
import type { Stage } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import type { RunUpdate, WorkerMethods } from '../../protocol';
import { blockSummary, meanLambda } from '../maps/branches';
import type { Maps } from '../maps/maps';
import type { Catalogue } from '../models/catalogue';
import { changeSince, type LoadedModels } from '../models/loaded-models';
import { activationBytes, blockWork, Forecast, stepsOf, workLeft } from './estimate';
import { forwardInto } from './forward';
import type { Observation } from './pace';
import type { Readouts } from './readouts';
import { isComplete, type ModelRecord } from './record';
import type { RunStore } from './store';

export interface Tools {
  readonly catalogue: Catalogue;
  readonly models: LoadedModels;
  readonly store: RunStore;
  readonly maps: Maps;
  readonly readouts: Readouts;
  /** Told of what a run took that was computed whole. */
  observed(observation: Observation): void;
}

/** Unwinds a run that was asked to stop. */
class Cancelled extends Error {}

/**
 * Computes one run: for each model the forward pass block by block with each block's default map right after
 * it, then the lens of each. What an earlier start of the run has computed stays. Between any two steps the event loop turns once, so that other requests are
 * answered and a cancel is seen. A model that fails does not stop the other.
 * @throws Error at the end, when a model failed.
 */
export class Runner {
  readonly #failures: string[] = [];
  #records: ModelRecord[] = [];
  #forecast = new Forecast(0);
  #loadingMs = 0;

  constructor(
    private readonly run: WorkerMethods['run']['argument'],
    private readonly tools: Tools,
    private readonly tell: (update: RunUpdate) => void,
  ) {}

  async execute(): Promise<'done' | 'cancelled'> {
    const { id, models } = this.run;
    const configs = await Promise.all(models.map(({ name }) => this.tools.catalogue.config(name)));
    const sum = (value: (config: ModelConfig, L: number, m: number) => number) =>
      configs.reduce((total, config, m) => total + value(config, models[m].tokens.length, m), 0);
    this.#records = this.tools.store.begin(id, sum(activationBytes));
    const toDo = (config: ModelConfig, L: number, m: number) =>
      workLeft(config, L, this.#records[m]?.blocks.length ?? 0, models[m].lensReady);
    const work = sum(toDo);
    this.#forecast = new Forecast(work);
    const fresh = this.#records.length === 0;
    const start = performance.now();
    try {
      for (const m of models.keys()) await this.#attempt(m, () => this.#forward(m));
      for (const m of models.keys()) await this.#attempt(m, () => this.#lens(m));
    } catch (error) {
      if (error instanceof Cancelled) return 'cancelled';
      throw error;
    } finally {
      this.tools.store.end(id);
    }
    if (this.#failures.length > 0) throw new Error(this.#failures.join(' '));
    const seconds = (performance.now() - start - this.#loadingMs) / 1000;
    if (fresh) this.tools.observed({ steps: sum(stepsOf), work, seconds });
    return 'done';
  }

  async #forward(m: number): Promise<void> {
    const { id, models } = this.run;
    const request = models[m];
    const known = this.#records[m];
    if (known && isComplete(known)) return;
    await this.#step(m, 'loading', 0, 1);
    const onProgress = (parameters: number, total: number) => this.#tellStep(m, 'loading', parameters, total);
    const asked = performance.now();
    const forward = async (model: Model, fingerprint: string) => {
      this.#loadingMs += performance.now() - asked;
      const change = known && changeSince(known.fingerprint, fingerprint);
      if (change) throw new Error(`since this run was started ${change}; run the prompt again.`);
      const { config } = model;
      const L = request.tokens.length;
      const record: ModelRecord = known ?? { request, config, fingerprint, L, residuals: [], blocks: [] };
      this.#records[m] = record;
      if (!known) this.tell({ type: 'blocks', model: m, blocks: config.blocks.map(blockSummary) });
      let forwardMs = 0;
      let begun = 0;
      try {
        await forwardInto(record, model, {
          before: async (i) => {
            await this.#step(m, 'forward', i, config.blocks.length);
            begun = performance.now();
          },
          after: (i, block) => {
            forwardMs += performance.now() - begun;
            this.tools.maps.add({ run: id, model: m, layer: i }, config.blocks[i], block, L);
            this.#forecast.add(blockWork(config.blocks[i], config.d, L));
            this.tell({ type: 'layer', model: m, layer: i, lambda: meanLambda(block.lambda) });
          },
        });
      } finally {
        if (record.blocks.length > 0) this.tell({ type: 'signal', model: m, forwardMs });
      }
    };
    await this.tools.models.use(request.name, forward, { onProgress });
  }

  async #lens(m: number): Promise<void> {
    const record = this.#records[m];
    if (!record || !isComplete(record) || this.run.models[m].lensReady) return;
    const work = workLeft(record.config, record.L, record.blocks.length);
    await this.tools.readouts.lens(record, { target: record.request.target.id }, async (done, total) => {
      this.#forecast.add(work / total);
      await this.#step(m, 'lens', done, total);
    });
    this.tell({ type: 'lens', model: m });
  }

  #tellStep(model: number, stage: Stage, layer: number, layers: number): void {
    const { secondsLeft } = this.#forecast;
    this.tell({ type: 'progress', progress: { model, stage, layer, layers, secondsLeft } });
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
