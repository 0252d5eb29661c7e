import { channelStatistics, operatorOf, scanParameters, topChannels } from '@/lib/analysis';
import type { Pair, ReadingQuery } from '@/lib/api/readings';
import { encodeSafetensors, type WireTensor } from '@/lib/safetensors';
import { CHANNEL_STATISTICS } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import type { LoadedModels } from '../models/loaded-models';
import type { ModelRecord } from '../runs/record';
import { withModelOf } from '../runs/with-model';
import { blockOf } from './branches';

/** Statistics of channels and heads, which need the weights of a block besides what it left. */
export class ChannelReadouts {
  constructor(private readonly models: LoadedModels) {}

  /** Statistics of every channel or head of a layer, and Δ of each at every token. */
  async channels(record: ModelRecord, { layer }: ReadingQuery<'channels'>): Promise<Body> {
    const block = blockOf(record, layer);
    const start = performance.now();
    const found = await withModelOf(this.models, record, async (model) =>
      channelStatistics(block, operatorOf(model, block)),
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
  async pair(record: ModelRecord, { layer, branch, form, i, j, k }: ReadingQuery<'pair'>): Promise<Pair> {
    const block = blockOf(record, layer);
    const [first = 'single'] = block.scans.keys();
    const scan = branch ?? first;
    const inputs = block.scans.get(scan);
    if (!inputs)
      throw new ServiceError(
        422,
        `Layer ${layer} has no scan ${scan}.`,
        block.scans.size > 0 ? `Choose ${[...block.scans.keys()].join(', ')}.` : 'Choose a layer with a scan.',
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
