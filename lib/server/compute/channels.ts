import {
  attentionOf,
  type BlockCache,
  blockForm,
  blockParameters,
  type ContributionMap,
  channelStatistics,
  differenceOf,
  lambdaTimes,
  logitDirection,
  logitForm,
  normForm,
  parseReduction,
  requireFinite,
  rollout,
  type ScanBranch,
  type ScanParameters,
  scanParameters,
  topChannels,
} from '@/lib/analysis';
import { encodeSafetensors, type WireTensor } from '@/lib/api/safetensors';
import {
  type Branch,
  CHANNEL_STATISTICS,
  type ChannelsQuery,
  type MapQuery,
  type Pair,
  type PairQuery,
  type RolloutQuery,
} from '@/lib/api/schemas';
import type { Model } from '@/lib/models';
import { ServiceError } from '../errors';
import type { Body } from '../protocol';
import { checkView, contributionBranches, defaultBranch } from './branches';
import type { LoadedModels } from './loaded-models';
import { isComplete, type ModelRecord } from './store';
import { withModelOf } from './with-model';

interface FormMap extends ContributionMap {
  /** Bias terms that belong to no source [L]. */
  readonly rest?: Float32Array;
}

/** What needs the weights of a block besides what it left: the forms of its maps, and statistics of its channels. */
export class Forms {
  constructor(private readonly models: LoadedModels) {}

  /** A map of the form `block`, `logit` or `norm`. @throws ServiceError 404, 409 or 422 for what the run does not have. */
  async map(record: ModelRecord, query: MapQuery): Promise<Body> {
    const { layer, reduce = 'mean', form = 'block' } = query;
    const block = blockOf(record, layer);
    const settings = record.config.blocks[layer];
    const branch = query.branch ?? (form === 'block' ? defaultBranch(settings) : contributionBranches(settings).at(-1));
    if (!branch || !contributionBranches(settings).includes(branch))
      throw new ServiceError(422, `Layer ${layer} (${settings.kind}) has no branch ${branch}.`);
    if (form === 'block') checkView(settings, layer, branch, reduce);
    const start = performance.now();
    const found = await withModelOf(this.models, record, async (model) => {
      if (form === 'block') return blockMap(model, block, branch, reduce);
      const parameters = blockParameters(model, block);
      if (form === 'norm') return normForm(block, parameters, branch);
      return logitForm(block, parameters, directionOf(model, record, query.target), branch);
    });
    const { map, rest, convention, reconstructionError }: FormMap = found;
    requireFinite(found, `layer ${layer}`);
    const tensors: Record<string, WireTensor> = { map: { shape: [record.L, record.L], data: map } };
    if (rest) tensors.rest = { shape: [record.L], data: rest };
    return encodeSafetensors(tensors, {
      form,
      reduce,
      branch,
      convention,
      reconstruction_error: String(reconstructionError),
      max_abs: String(largest(map)),
      ms: String(performance.now() - start),
    });
  }

  /** Statistics of every channel or head of a layer, and Δ of each at every token. */
  async channels(record: ModelRecord, { layer }: ChannelsQuery): Promise<Body> {
    const block = blockOf(record, layer);
    const start = performance.now();
    const found = await withModelOf(this.models, record, async (model) =>
      channelStatistics(block, blockParameters(model, block)),
    );
    const tensors: Record<string, WireTensor> = {};
    for (const { scan, values } of found) {
      const units = values.max.length;
      for (const name of CHANNEL_STATISTICS) tensors[`${scan}.${name}`] = { shape: [units], data: values[name] };
      const { delta } = block.scans.get(scan) ?? {};
      if (delta) tensors[`${scan}.delta`] = { shape: [record.L, units], data: delta };
    }
    const branches = found.map(({ scan }) => scan).join(',');
    return encodeSafetensors(tensors, { unit: found[0].unit, branches, ms: String(performance.now() - start) });
  }

  /** The channels or heads that read most at a pair of tokens. */
  async pair(record: ModelRecord, { layer, branch, form = 's6', i, j, k = 10 }: PairQuery): Promise<Pair> {
    const block = blockOf(record, layer);
    const [first] = block.scans.keys();
    const scan = branch ?? first;
    const inputs = block.scans.get(scan);
    if (!inputs)
      throw new ServiceError(
        422,
        `Layer ${layer} has no scan ${scan}.`,
        `Choose ${[...block.scans.keys()].join(', ')}.`,
      );
    const query = { target: i, source: j, k };
    if (form === 's6')
      return { unit: inputs.family === 'mamba1' ? 'channel' : 'head', channels: topChannels(inputs, query) };
    const channels = await withModelOf(this.models, record, async (model) =>
      topChannels(inputs, query, scanParameters(model, layer).get(scan)),
    );
    return { unit: 'channel', channels };
  }
}

/** Rollout of the default maps of a finished run. */
export function rolloutBody(record: ModelRecord, { reduce = 'mean', normalised, start = 0 }: RolloutQuery): Body {
  if (!isComplete(record))
    throw new ServiceError(409, `The rollout needs all layers of ${record.request.name}; wait for them.`);
  const maps = record.blocks.map((block, layer) => {
    const branch = defaultBranch(record.config.blocks[layer]);
    return attentionOf(block, { branch: branch === 'mixer_2' ? 'mixer_1' : branch, reduce }).map;
  });
  const map = rollout(maps, record.L, { start, normalised: normalised === 'true' });
  const rows = normalised === 'true' ? ', every row divided by its sum' : '';
  return encodeSafetensors(
    { map: { shape: [record.L, record.L], data: map } },
    { convention: `product of I + ${reduce} of α over layers from ${start}${rows}`, max_abs: String(largest(map)) },
  );
}

function blockOf({ config, blocks, request }: ModelRecord, layer: number): BlockCache {
  if (layer >= config.blocks.length)
    throw new ServiceError(404, `${request.name} has ${config.blocks.length} layers, numbered from 0.`);
  const block = blocks[layer];
  if (block) return block;
  throw new ServiceError(409, `Layer ${layer} has not been computed in this run.`);
}

function directionOf(model: Model, record: ModelRecord, target = record.request.target.id): Float32Array {
  if (isComplete(record)) return logitDirection(model, record.residuals[record.residuals.length - 1], target);
  throw new ServiceError(409, `Contributions to a logit need all layers of ${record.request.name}; wait for them.`);
}

function blockMap(model: Model, block: BlockCache, branch: Branch, reduce: string): FormMap {
  const parameters = scanParameters(model, block.index);
  const of = (scan: ScanBranch) => {
    const inputs = block.scans.get(scan);
    if (!inputs) throw new ServiceError(422, `Layer ${block.index} has no scan ${scan}.`);
    const { bias, ...map } = blockForm(inputs, parameters.get(scan) as ScanParameters, parseReduction(reduce));
    return { ...map, rest: bias };
  };
  if (branch === 'lambda_mixer_2') return lambdaTimes(of('mixer_2'), block);
  return branch === 'diff' ? differenceOf(of('mixer_1'), of('mixer_2'), block) : of(branch);
}

function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
