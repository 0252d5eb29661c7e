import { setImmediate as turn } from 'node:timers/promises';
import { attentionOf, type BlockCache } from '@/lib/analysis/s6Attention';
import { encodeSafetensors } from '@/lib/api/safetensors';
import type { Branch, MapQuery, Reduce, ThumbnailsQuery } from '@/lib/api/schemas';
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

interface ComputedMap {
  readonly map: Float32Array;
  readonly reconstructionError: number;
  readonly convention: string;
  readonly maxAbs: number;
}

const MAP_BYTES = 256 * 1024 * 1024;
const THUMBNAIL_BYTES = 64 * 1024 * 1024;
const THUMBNAIL_SIZE = 56;

/** Implicit-attention maps and their thumbnails, computed when asked for and remembered up to a limit. */
export class Maps {
  #maps = new LeastRecentlyUsed<ComputedMap>(MAP_BYTES);
  #thumbnails = new LeastRecentlyUsed<Float32Array>(THUMBNAIL_BYTES);

  /** Computes a block's default map and its thumbnail, which every run shows. */
  add(place: Place, block: BlockCache, L: number): void {
    this.#thumbnail(place, block, L, defaultBranch(block.kind), 'mean', THUMBNAIL_SIZE);
  }

  /** One map as a safetensors body. @throws ServiceError 409 before the layer is finished, 422 for a view it does not have. */
  map(record: ModelRecord, run: string, { model = 0, layer, branch, reduce = 'mean' }: MapQuery): Body {
    if (layer >= record.config.blocks.length)
      throw new ServiceError(404, `${record.request.name} has ${record.config.blocks.length} layers, numbered from 0.`);
    const block = record.blocks[layer];
    if (!block) throw new ServiceError(409, `Layer ${layer} has not been computed in this run.`);
    const shown = branch ?? defaultBranch(block.kind);
    checkView(record.config.blocks[layer], layer, shown, reduce);
    const { map, maxAbs, convention, reconstructionError } = this.#map({ run, model, layer }, block, shown, reduce);
    return encodeSafetensors(
      { map: { shape: [record.L, record.L], data: map } },
      {
        form: 's6',
        reduce,
        branch: shown,
        convention,
        reconstruction_error: String(reconstructionError),
        max_abs: String(maxAbs),
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
      const shown = branch && branchesOf(block.kind).includes(branch) ? branch : defaultBranch(block.kind);
      checkView(record.config.blocks[layer], layer, shown, reduce);
      data.set(this.#thumbnail({ run, model, layer }, block, record.L, shown, reduce, s), layer * s * s);
      await turn();
    }
    return encodeSafetensors(
      { thumbnails: { shape: [blocks.length, s, s], data } },
      { form: 's6', reduce, layers: String(blocks.length), size: String(s) },
    );
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    const belongs = (key: string) => runs.includes(key.slice(0, key.indexOf('/')));
    this.#maps.deleteWhere(belongs);
    this.#thumbnails.deleteWhere(belongs);
  }

  #map({ run, model, layer }: Place, block: BlockCache, branch: Branch, reduce: Reduce): ComputedMap {
    const key = `${run}/${model}/${layer}/${branch}/${reduce}`;
    const known = this.#maps.get(key);
    if (known) return known;
    const { map, reconstructionError, convention } = attentionOf(block, { branch, reduce });
    const maxAbs = map.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const computed = { map, reconstructionError, convention, maxAbs };
    this.#maps.set(key, computed);
    return computed;
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
