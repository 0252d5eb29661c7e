import { tokenTracks } from '@/lib/analysis';
import type { ReadingQuery } from '@/lib/api/readings';
import { refusedPart } from '@/lib/api/refusals';
import { encodeSafetensors, type WireTensor } from '@/lib/safetensors';
import { TOKEN_TRACKS } from '@/lib/vocabulary';
import { ServiceError } from '../../errors';
import type { Body } from '../../protocol';
import type { ModelRecord } from '../runs/record';
import { blockOf, blockSummary, requireAllowed } from './branches';

/** What every token does in the scans of one layer. @throws ServiceError 404, 409, 422 for a unit that is not there. */
export function tracksBody(record: ModelRecord, { layer, unit }: ReadingQuery<'tracks'>): Body {
  const block = blockOf(record, layer);
  const summary = blockSummary(record.config.blocks[layer]);
  if (unit !== 'mean')
    requireAllowed(refusedPart(summary, layer, summary.heads > 0 ? 'head' : 'channel', Number(unit)));
  const start = performance.now();
  const tensors: Record<string, WireTensor> = {};
  for (const [scan, inputs] of block.scans) {
    const found = tokenTracks(inputs, unit === 'mean' ? unit : Number(unit));
    for (const name of TOKEN_TRACKS) tensors[`${scan}.${name}`] = { shape: [record.L], data: found[name] };
  }
  const [inputs] = block.scans.values();
  if (!inputs)
    throw new ServiceError(
      422,
      `Layer ${layer} has no recurrence, so its tokens have no tracks.`,
      'Choose a layer with a scan.',
    );
  return encodeSafetensors(tensors, {
    unit,
    units: inputs.family === 'mamba1' ? 'channel' : 'head',
    branches: [...block.scans.keys()].join(','),
    ms: String(performance.now() - start),
  });
}
