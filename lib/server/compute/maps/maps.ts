import { requireFinite } from '@/lib/analysis/attentionCost';
import { type AttentionMap, attentionOf, type BlockCache, differenceOf, lambdaTimes } from '@/lib/analysis/s6Attention';
import type { MapEstimate, ReadingQuery } from '@/lib/api/readings';
import type { Reduce } from '@/lib/api/schemas';
import type { BlockConfig } from '@/lib/checkpoint';
import type { Branch } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import type { Withdrawn } from '../cancelling';
import { LeastRecentlyUsed } from '../memory';
import type { ModelRecord } from '../runs/record';
import { blockOf, branchAsked, branchesOf, checkView, defaultBranch, ownForm, requireOwnForm } from './branches';
import { largest } from './form-maps';
import { mapBody } from './map-body';
import { checkedMapBytes } from './map-memory';
import { shownBranch, THUMBNAIL_BYTES, thumbnail, thumbnailsBody } from './thumbnail';

interface Place {
  readonly run: string;
  readonly model: number;
  readonly layer: number;
}

interface MeasuredMap extends AttentionMap {
  readonly maxAbs: number;
  readonly ms: number;
}

const keyOf = ({ run, model, layer }: Place, branch: Branch, reduce: Reduce) =>
  `${run}/${model}/${layer}/${branch}/${reduce}`;

const MAP_BYTES = 256 * 1024 * 1024;
const THUMBNAIL_SIZE = 56;

/** Implicit-attention maps and their thumbnails, computed when asked for and remembered up to a limit. */
export class Maps {
  #maps = new LeastRecentlyUsed<MeasuredMap>(MAP_BYTES);
  #thumbnails = new LeastRecentlyUsed<Float32Array>(THUMBNAIL_BYTES);

  /** @param limit bytes that making one map may take */
  constructor(private readonly limit: number) {}

  /** Computes a block's default map and its thumbnail, which every run shows. */
  add(place: Place, settings: BlockConfig, block: BlockCache, L: number): void {
    const branch = defaultBranch(settings);
    if (branch) this.#thumbnail(place, block, L, branch, 'mean', THUMBNAIL_SIZE);
  }

  /** One map as a safetensors body. @throws ServiceError 409 before the layer is finished, 422 for a view it does not have. */
  map(record: ModelRecord, run: string, query: ReadingQuery<'map'>): Body {
    const { place, branch, form, reduce, bytes } = this.#asked(record, run, query);
    const block = record.blocks[place.layer];
    return mapBody(record.L, { ...this.#map(place, block, branch, reduce), form, reduce, branch, bytes });
  }

  /** What the map would take. @throws ServiceError as {@link map} does. */
  estimate(record: ModelRecord, run: string, query: ReadingQuery<'map'>): MapEstimate {
    const { place, branch, reduce, bytes } = this.#asked(record, run, query);
    return { bytes, limit_bytes: this.limit, kept: this.#maps.get(keyOf(place, branch, reduce)) !== undefined };
  }

  /**
   * Thumbnails of finished layers as a safetensors body. A plain block shows its only branch whatever is asked for, and a
   * differential block its default one when `single` is; attention shows its softmax weights, and a layer without a map nothing.
   * @throws ServiceError as {@link map} does.
   */
  thumbnails(record: ModelRecord, run: string, query: ReadingQuery<'thumbnails'>, withdrawn: Withdrawn): Promise<Body> {
    const one = (layer: number, size: number) => {
      const settings = record.config.blocks[layer];
      const shown = shownBranch(query.branch, branchesOf(settings));
      if (!shown) return undefined;
      const form = ownForm(settings, shown);
      const { place, branch, reduce } = this.#asked(record, run, { ...query, layer, form, branch: shown });
      return this.#thumbnail(place, record.blocks[layer], record.L, branch, reduce, size);
    };
    return thumbnailsBody(record, query, one, withdrawn);
  }

  /** The map of a scan, or the default map of a block, from memory where it is there. */
  one(record: ModelRecord, place: Place, branch: Branch, reduce: Reduce): Float32Array {
    return this.#map(place, record.blocks[place.layer], branch, reduce).map;
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    const belongs = (key: string) => runs.includes(key.slice(0, key.indexOf('/')));
    this.#maps.deleteWhere(belongs);
    this.#thumbnails.deleteWhere(belongs);
  }

  #asked(record: ModelRecord, run: string, query: ReadingQuery<'map'>) {
    const { model, layer, form, reduce, without = [] } = query;
    blockOf(record, layer);
    const settings = record.config.blocks[layer];
    const branch = branchAsked(settings, layer, form, query.branch);
    checkView(settings, layer, branch, reduce);
    requireOwnForm(settings, layer, form, branch);
    if (without.length > 0)
      throw new ServiceError(422, `Parts can be left out of the form block only, not of ${form}.`);
    return { place: { run, model, layer }, form, branch, reduce, bytes: this.#bytesOf(record, layer) };
  }

  /** @throws ServiceError 422 where making a map of this layer takes more than the limit. */
  #bytesOf({ config, L }: ModelRecord, layer: number): number {
    return checkedMapBytes(config.blocks[layer], config.d, L, 's6', this.limit);
  }

  #map(place: Place, block: BlockCache, branch: Branch, reduce: Reduce): MeasuredMap {
    const key = keyOf(place, branch, reduce);
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
    const key = `${keyOf(place, branch, reduce)}/${s}`;
    const known = this.#thumbnails.get(key);
    if (known) return known;
    const { data } = thumbnail(this.#map(place, block, branch, reduce).map, L, s);
    this.#thumbnails.set(key, data);
    return data;
  }
}
