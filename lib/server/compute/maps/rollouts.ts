import {
  attributionMap,
  gradientBytes,
  mapBytes,
  type OutputGradients,
  outputGradients,
  rolloutSteps,
} from '@/lib/analysis';
import type { ReadingQuery } from '@/lib/api/readings';
import { refusedRollout } from '@/lib/api/refusals';
import { encodeSafetensors } from '@/lib/safetensors';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import { drained, type Withdrawn } from '../cancelling';
import { LeastRecentlyUsed } from '../memory';
import type { LoadedModels } from '../models/loaded-models';
import { checkTarget, positionOf } from '../runs/readouts';
import { isComplete, type ModelRecord } from '../runs/record';
import { withModelOf } from '../runs/with-model';
import { blockSummary, defaultBranch, requireAllowed } from './branches';
import { largest } from './form-maps';
import { requireMapMemory } from './map-memory';
import type { Maps } from './maps';

const GRADIENT_CACHE = 16 * 1024 * 1024;
/** Maps [L,L] that a product of them holds at a time. */
const MAPS = 6;
/** Stands for a layer below the first one that takes part. */
const NOTHING = new Float32Array(0);

/** Products of the default maps over layers, plain, normalised, or weighed by the gradient of a logit. */
export class Rollouts {
  #gradients = new LeastRecentlyUsed<OutputGradients>(GRADIENT_CACHE);

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
    const attribution = method === 'attribution';
    const bytes = bytesOf(record, attribution);
    requireMapMemory(bytes, this.limit, `A rollout over ${L} tokens`);
    const before = performance.now();
    const gradients = attribution ? await this.#gradientsOf(record, run, model, { target, position }) : [];
    const { maps } = this;
    function* layers() {
      for (let layer = 0; layer < config.blocks.length; layer++) {
        const place = { run, model, layer };
        if (layer < start) yield NOTHING;
        else if (attribution)
          yield attributionMap(record.blocks[layer], gradients[layer], (scan) => maps.one(record, place, scan, 'mean'));
        else {
          const branch = defaultBranch(config.blocks[layer]);
          yield maps.one(record, place, branch === 'mixer_2' ? 'mixer_1' : branch, reduce);
        }
      }
    }
    const steps = rolloutSteps(layers(), L, { start, normalised: method === 'normalised' });
    const map = await drained(steps, withdrawn);
    return encodeSafetensors(
      { map: { shape: [L, L], data: map } },
      {
        method,
        convention: conventionOf({ method, reduce, start, target, position }),
        max_abs: String(largest(map)),
        ms: String(performance.now() - before),
        memory_bytes: String(bytes),
      },
    );
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    this.#gradients.deleteWhere((key) => runs.includes(key.slice(0, key.indexOf('/'))));
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

function bytesOf({ config, L }: ModelRecord, attribution: boolean): number {
  const making = Math.max(...config.blocks.map((block) => mapBytes(block, config.d, L, 's6')));
  return Math.max(making, attribution ? gradientBytes(config, L) : 0) + 4 * MAPS * L * L;
}

type Said = Required<Omit<ReadingQuery<'rollout'>, 'model'>>;

function conventionOf({ method, reduce, start, target, position }: Said): string {
  const from = `over layers from ${start}, later layers on the left`;
  if (method === 'attribution')
    return `product of I + (mean ∇v ⊙ mean α)⁺ ${from}; ∇v is the gradient of the logit of token ${target} at position ${position}`;
  return `product of I + ${reduce} of α ${from}${method === 'normalised' ? ', every row divided by its sum' : ''}`;
}
