import { setImmediate as turn } from 'node:timers/promises';
import { requireFinite } from '@/lib/analysis/attentionCost';
import { type AttentionMap, attentionOf, type BlockCache, differenceOf, lambdaTimes } from '@/lib/analysis/s6Attention';
import { encodeSafetensors } from '@/lib/api/safetensors';
import type { Branch, MapQuery, Reduce, ThumbnailsQuery } from '@/lib/api/schemas';
import type { BlockConfig } from '@/lib/checkpoint';
import { ServiceError } from '../errors';
import type { Body } from '../protocol';
import { branchesOf, checkView, defaultBranch } from './branches';
import { LeastRecentlyUsed } from './memory';
import type { ModelRecord } from './store';
import { thumbnail } from './thumbnail';

interface Place {
  readonly run: string;
  readonly model: number;
  readonly layer: number;
}

interface MeasuredMap extends AttentionMap {
  readonly maxAbs: number;
  readonly ms: number;
}

const MAP_BYTES = 256 * 1024 * 1024;
const THUMBNAIL_BYTES = 64 * 1024 * 1024;
const THUMBNAIL_SIZE = 56;

/** Implicit-attention maps and their thumbnails, computed when asked for and remembered up to a limit. */
export class Maps {
  #maps = new LeastRecentlyUsed<MeasuredMap>(MAP_BYTES);
  #thumbnails = new LeastRecentlyUsed<Float32Array>(THUMBNAIL_BYTES);

  /** Computes a block's default map and its thumbnail, which every run shows. */
  add(place: Place, settings: BlockConfig, block: BlockCache, L: number): void {
    this.#thumbnail(place, block, L, defaultBranch(settings), 'mean', THUMBNAIL_SIZE);
  }

  /** One map as a safetensors body. @throws ServiceError 409 before the layer is finished, 422 for a view it does not have. */
  map(record: ModelRecord, run: string, { model = 0, layer, branch, reduce = 'mean' }: MapQuery): Body {
    if (layer >= record.config.blocks.length)
      throw new ServiceError(404, `${record.request.name} has ${record.config.blocks.length} layers, numbered from 0.`);
    const block = record.blocks[layer];
    if (!block) throw new ServiceError(409, `Layer ${layer} has not been computed in this run.`);
    const settings = record.config.blocks[layer];
    const shown = branch ?? defaultBranch(settings);
    checkView(settings, layer, shown, reduce);
    const { map, maxAbs, convention, reconstructionError, ms } = this.#map({ run, model, layer }, block, shown, reduce);
    return encodeSafetensors(
      { map: { shape: [record.L, record.L], data: map } },
      {
        form: 's6',
        reduce,
        branch: shown,
        convention,
        reconstruction_error: String(reconstructionError),
        max_abs: String(maxAbs),
        ms: String(ms),
      },
    );
  }

  /**
   * Thumbnails of all finished layers as a safetensors body. A plain block shows its only branch whatever is
   * asked for, and a differential block its default one when `single` is. The event loop turns between layers.
   */
  async thumbnails(record: ModelRecord, run: string, query: ThumbnailsQuery): Promise<Body> {
    const { model = 0, branch, reduce = 'mean', size = THUMBNAIL_SIZE } = query;
    const blocks = [...record.blocks];
    const s = Math.min(size, record.L);
    const data = new Float32Array(blocks.length * s * s);
    for (const [layer, block] of blocks.entries()) {
      const settings = record.config.blocks[layer];
      const shown = branch && branchesOf(settings).includes(branch) ? branch : defaultBranch(settings);
      checkView(settings, layer, shown, reduce);
      data.set(this.#thumbnail({ run, model, layer }, block, record.L, shown, reduce, s), layer * s * s);
      await turn();
    }
    return encodeSafetensors(
      { thumbnails: { shape: [blocks.length, s, s], data } },
      { form: 's6', reduce, layers: String(blocks.length), size: String(s) },
    );
  }

  /**
   * The map from whose rows attention SNR is taken: magnitudes of a plain block, but of a differential block the
   * difference, because its branches must cancel first. Undefined where there is no difference. With one group
   * all heads of a Mamba-2 block share each entry's sign, so its mean has the magnitudes of `mean_abs`.
   */
  forAttentionSnr(record: ModelRecord, place: Place): Float32Array | undefined {
    const block = record.blocks[place.layer];
    const settings = record.config.blocks[place.layer];
    const branches = branchesOf(settings);
    if (branches.includes('diff')) return this.#map(place, block, 'diff', 'mean').map;
    if (!branches.includes('single')) return undefined;
    return this.#map(place, block, 'single', settings.mixer.G === 1 ? 'mean' : 'mean_abs').map;
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    const belongs = (key: string) => runs.includes(key.slice(0, key.indexOf('/')));
    this.#maps.deleteWhere(belongs);
    this.#thumbnails.deleteWhere(belongs);
  }

  #map(place: Place, block: BlockCache, branch: Branch, reduce: Reduce): MeasuredMap {
    const key = `${place.run}/${place.model}/${place.layer}/${branch}/${reduce}`;
    const known = this.#maps.get(key);
    if (known) return known;
    const start = performance.now();
    const computed = this.#compute(place, block, branch, reduce);
    requireFinite(computed, `layer ${place.layer}`);
    const measured = { ...computed, maxAbs: largest(computed.map), ms: performance.now() - start };
    this.#maps.set(key, measured);
    return measured;
  }

  /** Maps that are made of the branches' maps take those from the cache. */
  #compute(place: Place, block: BlockCache, branch: Branch, reduce: Reduce): AttentionMap {
    const other = (name: Branch) => this.#map(place, block, name, reduce);
    if (branch === 'lambda_mixer_2') return lambdaTimes(other('mixer_2'), block);
    if (branch === 'diff') return differenceOf(other('mixer_1'), other('mixer_2'), block);
    return attentionOf(block, { branch, reduce });
  }

  #thumbnail(place: Place, block: BlockCache, L: number, branch: Branch, reduce: Reduce, size: number): Float32Array {
    const s = Math.min(size, L);
    const key = `${place.run}/${place.model}/${place.layer}/${branch}/${reduce}/${s}`;
    const known = this.#thumbnails.get(key);
    if (known) return known;
    const { data } = thumbnail(this.#map(place, block, branch, reduce).map, L, s);
    this.#thumbnails.set(key, data);
    return data;
  }
}

function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
