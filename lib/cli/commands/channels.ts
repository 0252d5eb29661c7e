import type { Command } from 'commander';
import { type ChannelStatistics, capturedBlocks, channelStatistics, operatorOf } from '@/lib/analysis';
import type { OutputTensor } from '@/lib/checkpoint';
import { CHANNEL_STATISTICS, type ChannelStatistic } from '@/lib/vocabulary';
import { layersOf, rowOf } from '../blocks';
import { type Io, progress } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { printRows, requireWritable, writeTensors } from '../output';
import { choices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';

interface ChannelsOptions extends CommonOptions {
  readonly layers: string;
  readonly sort: ChannelStatistic[];
  readonly top: number;
  readonly batchIndex: number;
}

/** Statistics of every channel (Mamba-1 kinds) or head (Mamba-2 kinds) of chosen layers. */
export function channelsCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('channels').description('what every channel or head of the layers attends to')))
    .option('--layers <list>', 'layer numbers from 0, or "all"', 'all')
    .option('--sort <name>', CHANNEL_STATISTICS.join(', '), choices('--sort', CHANNEL_STATISTICS), ['output_share'])
    .option('--top <n>', 'lines to print of each scan', wholeNumber('--top', 1), 10)
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: ChannelsOptions) => {
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const row = await rowOf(options, options.batchIndex, checkpoint);
      const layers = layersOf(options.layers, checkpoint.config);
      const { model, provenance } = await openSession(checkpoint, options, line, io);
      const tensors: OutputTensor[] = [];
      const rows: Record<string, unknown>[] = [];
      const bar = progress(io, 'layer');
      for (const block of capturedBlocks(model, row, layers)) {
        bar.at(block.index + 1, checkpoint.config.blocks.length);
        const start = performance.now();
        const found = channelStatistics(block, operatorOf(model, block));
        const ms = performance.now() - start;
        for (const each of found) {
          tensors.push(...tensorsOf(block.index, each));
          rows.push(...ranked(each, options).map((values) => ({ layer: block.index, ...values, ms })));
        }
      }
      bar.end();
      if (options.out) await writeTensors(options.out, tensors, provenance);
      printRows(io, rows, options.json ?? false, provenance);
    });
}

function tensorsOf(layer: number, { scan, unit, values }: ChannelStatistics): OutputTensor[] {
  const at = `blocks.${layer}.${scan === 'single' ? '' : `${scan}.`}${unit}s`;
  return CHANNEL_STATISTICS.map((name) => ({
    name: `${at}.${name}`,
    shape: [values[name].length],
    data: values[name],
  }));
}

/** The first `--top` channels or heads by the statistic of `--sort`, largest first. */
function ranked({ scan, unit, values }: ChannelStatistics, { sort, top }: ChannelsOptions) {
  const by = values[sort[0]];
  const order = [...by.keys()].sort((a, b) => by[b] - by[a]).slice(0, top);
  return order.map((index) => ({
    branch: scan,
    unit,
    index,
    ...Object.fromEntries(CHANNEL_STATISTICS.map((name) => [name, values[name][index]])),
  }));
}
