import * as tf from '@tensorflow/tfjs';
import type { Command } from 'commander';
import { blockCache, captureNames } from '@/lib/analysis';
import { InputError, type ModelConfig, type OutputTensor } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import { readTokens, requireEqualLengths } from '../input';
import { type Io, progress } from '../io';
import { blockMaps, type NamedMap, type Reductions, reductionsOf } from '../maps';
import { type CommonOptions, withCommon, withOut } from '../options';
import { printRows, requireWritable, writeTensors } from '../output';
import { choices, indices, wholeNumber, words } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const BRANCHES = ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'] as const;

interface AttentionOptions extends CommonOptions {
  readonly layers: string;
  readonly form: string[];
  readonly reduce: Reductions;
  readonly branch?: (typeof BRANCHES)[number][];
  readonly batchIndex: number;
}

/** Implicit attention maps of chosen layers, one block of the forward pass at a time. */
export function attentionCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('attention').description('implicit attention maps of the layers')))
    .option('--layers <list>', 'layer numbers from 0, or "all"', 'all')
    .option('--form <list>', 's6', words('--form'), ['s6'])
    .option('--reduce <list>', 'mean, mean_abs, channel:K, head:K, head:all', reductionsOf, reductionsOf('mean'))
    .option('--branch <list>', `of differential blocks: ${BRANCHES.join(', ')}`, choices('--branch', BRANCHES))
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: AttentionOptions) => {
      requireKnownForms(options.form);
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const rows = requireEqualLengths(await readTokens(options, checkpoint));
      const row = rows[options.batchIndex];
      if (!row)
        throw new InputError(`--batch-index ${options.batchIndex} is not there: rows go from 0 to ${rows.length - 1}.`);
      const layers = layersOf(options.layers, checkpoint.config);
      const { model, provenance } = await openSession(checkpoint, options, line, io);

      const maps: NamedMap[] = [];
      const bar = progress(io, 'layer');
      for (const block of capturedBlocks(model, row, layers)) {
        bar.at(block.index + 1, checkpoint.config.blocks.length);
        maps.push(...blockMaps(block, options.reduce, options.branch ?? ['mixer_1', 'mixer_2', 'diff'], io));
      }
      bar.end();
      if (maps.length === 0)
        throw new InputError('None of these maps exists in the chosen layers: choose another --reduce or --branch.');
      const tensors = maps.map(({ key, map, L }): OutputTensor => ({ name: key, shape: [L, L], data: map }));
      if (options.out) await writeTensors(options.out, tensors, provenance);
      const report = maps.map(({ key, L, reconstructionError, ms }) => ({
        key,
        shape: [L, L],
        reconstruction_error: reconstructionError,
        ms,
      }));
      printRows(io, report, options.json ?? false);
    });
}

function requireKnownForms(forms: readonly string[]): void {
  const other = forms.find((form) => form !== 's6');
  if (other !== undefined) throw new InputError(`The form "${other}" is not available: choose s6.`);
}

function layersOf(text: string, { blocks }: ModelConfig): ReadonlySet<number> {
  if (text === 'all') return new Set(blocks.keys());
  const layers = indices('--layers')(text);
  const missing = layers.find((layer) => layer >= blocks.length);
  if (missing === undefined) return new Set(layers);
  throw new InputError(`There is no layer ${missing}: the layers of this model go from 0 to ${blocks.length - 1}.`);
}

/** Runs the blocks up to the last layer that is asked for and yields what each one left; holds one at a time. */
function* capturedBlocks(model: Model, row: number[], layers: ReadonlySet<number>) {
  const kept = new Map<string, tf.Tensor>();
  const keep = (value: tf.Tensor, name: string) => void kept.set(name, tf.keep(value.clone()));
  const names = [...layers].flatMap((layer) => captureNames(model.config, layer));
  const last = Math.max(...layers);
  const release = () => {
    for (const tensor of kept.values()) tensor.dispose();
    kept.clear();
  };
  for (const { index } of model.blocksOf(
    [row],
    names.map((name) => [name, keep] as const),
  )) {
    if (layers.has(index)) {
      const block = blockCache(model.config, index, kept);
      release();
      yield block;
    }
    if (index === last) return;
  }
}
