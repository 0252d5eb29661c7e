import {
  attentionBlockForm,
  type BlockCache,
  blockForm,
  differenceOf,
  isSoftmax,
  lambdaTimes,
  logitDirection,
  logitForm,
  normSteps,
  operatorOf,
  parseReduction,
  requireFinite,
  type ScanParameters,
  scanOf,
  scanParameters,
} from '@/lib/analysis';
import type { MapEstimate, ReadingQuery } from '@/lib/api/readings';
import type { Reduce } from '@/lib/api/schemas';
import type { Model } from '@/lib/models';
import type { BlockComponent, Branch } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import { drained, pause, Shared, type Withdrawn } from '../cancelling';
import { LeastRecentlyUsed } from '../memory';
import type { LoadedModels } from '../models/loaded-models';
import { isComplete, type ModelRecord } from '../runs/record';
import { withModelOf } from '../runs/with-model';
import { blockOf, branchAsked, branchesOf, checkView, contributionBranches } from './branches';
import { mapBody } from './map-body';
import { checkedMapBytes } from './map-memory';
import { shownBranch, THUMBNAIL_BYTES, thumbnail, thumbnailsBody } from './thumbnail';

const KEPT_BYTES = 256 * 1024 * 1024;

/** Which map of a block is meant, nothing left open. */
interface View {
  readonly run: string;
  readonly model: number;
  readonly layer: number;
  readonly form: 'block' | 'logit' | 'norm';
  readonly branch: Branch;
  readonly reduce: Reduce;
  readonly without: readonly BlockComponent[];
  readonly target: number;
}

interface MadeMap {
  readonly map: Float32Array;
  /** Bias terms that belong to no source [L]. */
  readonly rest?: Float32Array;
  readonly convention: string;
  readonly magnitude?: boolean;
  readonly reconstructionError: number;
  readonly maxAbs: number;
  readonly ms: number;
}

const keyOf = ({ run, model, layer, form, branch, reduce, without, target }: View) =>
  `${run}/${[model, layer, form, branch, reduce, without, form === 'logit' ? target : ''].join('/')}`;

/**
 * Maps of the forms `block`, `logit` and `norm`: refused where they need too much memory, computed when asked for, and
 * remembered up to a limit. A map that takes long lets other requests go first, and ends when nobody waits for it.
 */
export class FormMaps {
  #kept = new LeastRecentlyUsed<MadeMap>(KEPT_BYTES);
  #thumbnails = new LeastRecentlyUsed<Float32Array>(THUMBNAIL_BYTES);
  #shared = new Shared<MadeMap>();

  constructor(
    private readonly models: LoadedModels,
    /** Bytes that making one map may take. */
    private readonly limit: number,
  ) {}

  /** One map as a safetensors body. @throws ServiceError 404, 409 or 422 for what the run does not have. */
  async map(record: ModelRecord, run: string, query: ReadingQuery<'map'>, withdrawn: Withdrawn): Promise<Body> {
    const view = viewOf(record, run, query);
    const bytes = this.#bytesOf(record, view);
    const made = await this.#made(record, view, withdrawn);
    const { form, reduce, branch } = view;
    return mapBody(record.L, { ...made, form, reduce, branch, bytes });
  }

  /** What the map would take. @throws ServiceError as {@link map} does. */
  estimate(record: ModelRecord, run: string, query: ReadingQuery<'map'>): MapEstimate {
    const view = viewOf(record, run, query);
    const bytes = this.#bytesOf(record, view);
    return { bytes, limit_bytes: this.limit, kept: this.#kept.get(keyOf(view)) !== undefined };
  }

  /** Thumbnails of finished layers as a safetensors body. @throws ServiceError as {@link map} does. */
  thumbnails(record: ModelRecord, run: string, query: ReadingQuery<'thumbnails'>, withdrawn: Withdrawn): Promise<Body> {
    const one = async (layer: number, size: number) => {
      const settings = record.config.blocks[layer];
      const has = query.form === 'block' ? branchesOf(settings) : contributionBranches(settings);
      const branch = shownBranch(query.branch, has);
      if (!branch) return undefined;
      // Attention has none of the parts that can be left out.
      const without = isSoftmax(settings.kind, branch) ? undefined : query.without;
      const view = viewOf(record, run, { ...query, layer, branch, without });
      const key = `${keyOf(view)}/${size}`;
      const known = this.#thumbnails.get(key);
      if (known) return known;
      this.#bytesOf(record, view);
      const { data } = thumbnail((await this.#made(record, view, withdrawn)).map, record.L, size);
      this.#thumbnails.set(key, data);
      return data;
    };
    return thumbnailsBody(record, query, one, withdrawn);
  }

  /** Drops what belongs to these runs. */
  forget(runs: readonly string[]): void {
    const belongs = (key: string) => runs.includes(key.slice(0, key.indexOf('/')));
    this.#kept.deleteWhere(belongs);
    this.#thumbnails.deleteWhere(belongs);
  }

  #bytesOf({ config, L }: ModelRecord, { layer, form }: View): number {
    return checkedMapBytes(config.blocks[layer], config.d, L, form, this.limit);
  }

  async #made(record: ModelRecord, view: View, withdrawn: Withdrawn): Promise<MadeMap> {
    const key = keyOf(view);
    const known = this.#kept.get(key);
    if (known) return known;
    return this.#shared.do(key, withdrawn, async (allWithdrawn) => {
      const start = performance.now();
      const found = await this.#make(record, view, allWithdrawn);
      requireFinite(found, `layer ${view.layer}`);
      const made = { ...found, maxAbs: largest(found.map), ms: performance.now() - start };
      this.#kept.set(key, made);
      return made;
    });
  }

  /** Maps that are made of the branches' maps take those from memory. */
  async #make(record: ModelRecord, view: View, withdrawn: Withdrawn): Promise<Omit<MadeMap, 'maxAbs' | 'ms'>> {
    const block = blockOf(record, view.layer);
    if (view.form === 'block' && (view.branch === 'lambda_mixer_2' || view.branch === 'diff')) {
      const of = async (branch: Branch) => {
        const made = await this.#made(record, { ...view, branch }, withdrawn);
        return { ...made, L: record.L };
      };
      if (view.branch === 'lambda_mixer_2') return withoutRest(lambdaTimes(await of('mixer_2'), block));
      return withoutRest(differenceOf(await of('mixer_1'), await of('mixer_2'), block));
    }
    return withModelOf(this.models, record, async (model) => {
      await pause(withdrawn);
      if (view.form === 'block') return blockMap(model, block, view);
      const parameters = operatorOf(model, block);
      if (view.form === 'norm') return drained(normSteps(block, parameters, view.branch), withdrawn);
      return logitForm(block, parameters, directionOf(model, record, view.target), view.branch);
    });
  }
}

/** @throws ServiceError 404, 409, 422. */
function viewOf(record: ModelRecord, run: string, query: ReadingQuery<'map'>): View {
  const { model, layer, reduce, form, without = [] } = query;
  blockOf(record, layer);
  const settings = record.config.blocks[layer];
  const branches = contributionBranches(settings);
  const branch = branchAsked(settings, layer, form, query.branch);
  if (!branches.includes(branch))
    throw new ServiceError(
      422,
      `Layer ${layer} (${settings.kind}) has no branch ${branch}.`,
      `Choose one of ${branches.join(', ')}.`,
    );
  if (form === 's6' || form === 'softmax') throw new Error(`The form ${form} needs no weights: it is not made here.`);
  if (form !== 'block' && without.length > 0)
    throw new ServiceError(422, `Parts can be left out of the form block only, not of ${form}.`);
  if (form === 'block') checkView(settings, layer, branch, reduce);
  if (form === 'logit' && !isComplete(record))
    throw new ServiceError(409, `Contributions to a logit need all layers of ${record.request.name}; wait for them.`);
  return { run, model, layer, form, branch, reduce, without, target: query.target ?? record.request.target.id };
}

function blockMap(model: Model, block: BlockCache, { branch, reduce, without }: View): Omit<MadeMap, 'maxAbs' | 'ms'> {
  if (block.attention && isSoftmax(block.kind, branch))
    return attentionBlockForm(block.attention, parseReduction(reduce), new Set(without));
  const scan = scanOf(branch);
  const inputs = block.scans.get(scan);
  if (!inputs) throw new ServiceError(422, `Layer ${block.index} has no scan ${branch}.`);
  const parameters = scanParameters(model, block.index).get(scan) as ScanParameters;
  const left = new Set(without);
  const { bias, ...map } = blockForm(inputs, parameters, parseReduction(reduce), left);
  return { ...map, rest: bias };
}

const directionOf = (model: Model, { residuals }: ModelRecord, target: number): Float32Array =>
  logitDirection(model, residuals[residuals.length - 1], target);

/** Bias terms are those of a single branch. */
const withoutRest = <T extends object>(made: T): T => ({ ...made, rest: undefined });

export function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
