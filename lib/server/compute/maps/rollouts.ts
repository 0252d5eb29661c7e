import {
  attributionCodeMap,
  attributionMap,
  branchOfMixer,
  gradientBytes,
  mapBytes,
  type OutputGradients,
  operatorOf,
  outputGradients,
  readsTokens,
  rolloutSteps,
  type ShareMeasure,
  shareSteps,
  streamGradients,
} from '@/lib/analysis';
import type { ReadingQuery, RolloutMethod } from '@/lib/api/readings';
import { refusedRollout } from '@/lib/api/refusals';
import { encodeSafetensors } from '@/lib/safetensors';
import { type Branch, isOfShares, isWeighed, rolloutConvention } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import { drained, type Withdrawn } from '../cancelling';
import { LeastRecentlyUsed } from '../memory';
import type { LoadedModels } from '../models/loaded-models';
import { checkTarget, positionOf } from '../runs/questions';
import { isComplete, type ModelRecord } from '../runs/record';
import { withModelOf } from '../runs/with-model';
import { blockSummary, defaultBranch, requireAllowed } from './branches';
import { largest } from './form-maps';
import { requireMapMemory } from './map-memory';
import type { Maps } from './maps';

const GRADIENT_CACHE = 16 * 1024 * 1024;
const SHARE_CACHE = 128 * 1024 * 1024;
/** Maps [L,L] that a product of them holds at a time. */
const MAPS = 6;
/** Stands for a layer below the first one that takes part. */
const NOTHING = new Float32Array(0);

/** Products over layers: of shares of the residual stream, or of the default maps as published. */
export class Rollouts {
  #gradients = new LeastRecentlyUsed<OutputGradients>(GRADIENT_CACHE);
  #shares = new LeastRecentlyUsed<Float32Array>(SHARE_CACHE);

  constructor(
    private readonly models: LoadedModels,
    private readonly maps: Maps,
    /** Bytes that one rollout may take. */
    private readonly limit: number,
  ) {}

  /** @throws ServiceError 409 before all layers are there, 422 for what the run does not have or more memory than the limit. */
  async body(record: ModelRecord, run: string, query: ReadingQuery<'rollout'>, withdrawn: Withdrawn): Promise<Body> {
    const { request, config, L } = record;
    const { model, method, reduce, start, target = request.target.id } = query;
    if (!isComplete(record))
      throw new ServiceError(409, `The rollout needs all layers of ${request.name}; wait for them.`);
    requireAllowed(refusedRollout(config.blocks.map(blockSummary), { method, start }));
    checkTarget(record, target);
    const position = positionOf(record, query.position ?? request.position);
    const bytes = bytesOf(record, method);
    requireMapMemory(bytes, this.limit, `A rollout over ${L} tokens`);
    const before = performance.now();
    const of = { target, position };
    const gradients = method === 'attribution' ? await this.#gradientsOf(record, run, model, of) : [];
    const weights = method === 'attribution_code' ? await this.#weightsOf(record, of) : [];
    const shares = isOfShares(method) ? await this.#sharesOf(record, { run, model }, { method, start }, withdrawn) : [];
    const { maps } = this;
    function* layers() {
      for (let layer = 0; layer < config.blocks.length; layer++) {
        const place = { run, model, layer };
        if (layer < start) yield NOTHING;
        else if (isOfShares(method)) yield shares[layer];
        else if (!readsTokens(config.blocks[layer].kind)) yield new Float32Array(L * L);
        else if (method === 'attribution')
          yield attributionMap(record.blocks[layer], gradients[layer], (mixer) =>
            maps.one(record, place, branchOfMixer(config.blocks[layer].kind, mixer), 'mean'),
          );
        else if (method === 'attribution_code') yield attributionCodeMap(record.blocks[layer], weights[layer]);
        else {
          const branch = defaultBranch(config.blocks[layer]) as Branch;
          yield maps.one(record, place, branch === 'mixer_2' ? 'mixer_1' : branch, reduce);
        }
      }
    }
    const normalised = method === 'normalised' || method === 'attribution_code';
    const steps = rolloutSteps(layers(), L, { start, normalised, whole: isOfShares(method) });
    const map = await drained(steps, withdrawn);
    return encodeSafetensors(
      { map: { shape: [L, L], data: map } },
      {
        method,
        convention: rolloutConvention({ method, reduce, start, target, position }),
        max_abs: String(largest(map)),
        ms: String(performance.now() - before),
        memory_bytes: String(bytes),
      },
    );
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    const gone = (key: string) => runs.includes(key.slice(0, key.indexOf('/')));
    this.#gradients.deleteWhere(gone);
    this.#shares.deleteWhere(gone);
  }

  /** Shares by layer, from `start` on; those that were made before come from memory. */
  async #sharesOf(
    record: ModelRecord,
    { run, model }: { readonly run: string; readonly model: number },
    { method, start }: { readonly method: ShareMeasure; readonly start: number },
    withdrawn: Withdrawn,
  ): Promise<Float32Array[]> {
    const found: Float32Array[] = [];
    for (const block of record.blocks) {
      if (block.index < start) continue;
      const key = `${run}/${model}/${block.index}/${method}`;
      const made =
        this.#shares.get(key) ??
        (await withModelOf(this.models, record, (loaded) =>
          drained(shareSteps(block, operatorOf(loaded, block), record.residuals[block.index], method), withdrawn),
        ));
      this.#shares.set(key, made);
      found[block.index] = made;
    }
    return found;
  }

  #weightsOf(record: ModelRecord, of: { readonly target: number; readonly position: number }): Promise<Float32Array[]> {
    const ids = record.request.tokens.map(({ id }) => id);
    return withModelOf(this.models, record, async (loaded) => streamGradients(loaded, ids, of));
  }

  async #gradientsOf(
    record: ModelRecord,
    run: string,
    model: number,
    of: { readonly target: number; readonly position: number },
  ): Promise<OutputGradients> {
    const key = `${run}/${model}/${of.target}/${of.position}`;
    const known = this.#gradients.get(key);
    if (known) return known;
    const ids = record.request.tokens.map(({ id }) => id);
    const found = await withModelOf(this.models, record, async (loaded) => outputGradients(loaded, ids, of));
    this.#gradients.set(key, found);
    return found;
  }
}

function bytesOf({ config, L }: ModelRecord, method: RolloutMethod): number {
  const shares = isOfShares(method);
  const making = Math.max(...config.blocks.map((block) => mapBytes(block, config.d, L, shares ? 'norm' : 's6')));
  const kept = shares ? config.blocks.length : 0;
  return Math.max(making, isWeighed(method) ? gradientBytes(config, L) : 0) + 4 * (MAPS + kept) * L * L;
}
