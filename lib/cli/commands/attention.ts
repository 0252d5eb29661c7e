import type { Command } from 'commander';
import {
  attentionBytes,
  branchesOf,
  capturedBlocks,
  finalResidual,
  logitDirection,
  mixerBranchesOf,
  operatorOf,
  requireMemory,
} from '@/lib/analysis';
import { type BlockConfig, InputError, isHybrid, type OutputTensor } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import {
  BLOCK_COMPONENTS,
  type BlockComponent,
  DIFFERENTIAL_BRANCHES,
  FORMS,
  PARALLEL_BRANCHES,
} from '@/lib/vocabulary';
import { layersOf, rowOf } from '../blocks';
import { type Io, progress } from '../io';
import {
  blockMaps,
  type Form,
  type MapRequest,
  mapsPerLayer,
  type NamedMap,
  type Reductions,
  reductionsOf,
} from '../maps';
import { type CommonOptions, withCommon, withOut } from '../options';
import { printRows, requireWritable, writeTensors } from '../output';
import { choices, indices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const BRANCHES = [...DIFFERENTIAL_BRANCHES, ...PARALLEL_BRANCHES] as const;

/** Memory in MB that maps may take unless `--memory` says otherwise. */
const MEMORY = 4096;

interface AttentionOptions extends CommonOptions {
  readonly layers: string;
  readonly form: Form[];
  readonly reduce: Reductions;
  readonly branch?: (typeof BRANCHES)[number][];
  readonly target?: number[];
  readonly without?: BlockComponent[];
  readonly batchIndex: number;
  readonly memory: number;
}

/** Implicit attention maps of chosen layers, one block of the forward pass at a time. */
export function attentionCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('attention').description('implicit attention maps of the layers')))
    .option('--layers <list>', 'layer numbers from 0, or "all"', 'all')
    .option('--form <list>', FORMS.join(', '), choices('--form', FORMS), ['s6', 'softmax'])
    .option('--reduce <list>', 'mean, mean_abs, max, channel:K, head:K, head:all', reductionsOf, reductionsOf('mean'))
    .option(
      '--branch <list>',
      `of differential blocks: ${DIFFERENTIAL_BRANCHES.join(', ')}; of attention beside Mamba: ${PARALLEL_BRANCHES.join(', ')}`,
      choices('--branch', BRANCHES),
    )
    .option('--target <list>', 'token ids whose logits the form logit explains', indices('--target'))
    .option('--without <list>', `leave out of the form block: ${BLOCK_COMPONENTS.join(', ')}`, withoutOf)
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .option('--memory <MB>', 'refuse to take more memory than this', wholeNumber('--memory', 1), MEMORY)
    .action(async (options: AttentionOptions) => {
      if (options.form.includes('logit') && !options.target)
        throw new InputError('The form logit explains the logits of tokens: name them with --target 17,33.');
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const row = await rowOf(options, options.batchIndex, checkpoint);
      const layers = layersOf(options.layers, checkpoint.config);
      requireBranch(
        options.branch,
        layers.map((layer) => checkpoint.config.blocks[layer]),
      );
      const planned = requestOf(options, new Map(options.target?.map((token) => [token, new Float32Array(0)])));
      const heads = Math.max(...layers.map((layer) => headsOf(checkpoint.config.blocks[layer])));
      const cost = { layers, mapsPerLayer: mapsPerLayer(planned, heads), forms: options.form };
      const bytes = attentionBytes(checkpoint.config, row.length, cost);
      requireMemory(bytes, options.memory * 2 ** 20, row.length);
      io.err(`about ${Math.ceil(bytes / 2 ** 20)} MB beyond the weights\n`);
      const { model, provenance } = await openSession(checkpoint, options, line, io);

      const maps: NamedMap[] = [];
      const bar = progress(io, 'layer');
      const request = requestOf(options, directionsOf(model, row, options));
      const parametersNeeded = options.form.some((form) => form !== 's6' && form !== 'softmax');
      for (const block of capturedBlocks(model, row, layers)) {
        bar.at(block.index + 1, checkpoint.config.blocks.length);
        maps.push(...blockMaps(block, parametersNeeded ? operatorOf(model, block) : undefined, request, io));
      }
      bar.end();
      if (maps.length === 0)
        throw new InputError('None of these maps exists in the chosen layers: choose another --reduce or --branch.');
      const tensors = maps.map(({ key, shape, data }): OutputTensor => ({ name: key, shape, data }));
      if (options.out) await writeTensors(options.out, tensors, provenance);
      const report = maps.map(({ key, shape, reconstructionError, ms, convention }) => ({
        key,
        shape,
        reconstruction_error: reconstructionError,
        ms,
        convention,
      }));
      printRows(io, report, options.json ?? false, provenance);
    });
}

/** @throws InputError for branches of which the blocks have none: their maps would be those without any. */
function requireBranch(named: AttentionOptions['branch'], blocks: readonly BlockConfig[]): void {
  const known: readonly string[] = blocks.flatMap(({ kind }) => [...branchesOf(kind), ...mixerBranchesOf(kind)]);
  if (named && !named.some((branch) => known.includes(branch)))
    throw new InputError(`None of the chosen layers has a branch ${named.join(' or ')}: leave --branch out.`);
}

/** Most heads that a mixer of a block has. */
const headsOf = (block: BlockConfig): number => Math.max(block.mixer.H, (isHybrid(block) && block.attention?.H) || 0);

const withoutOf = choices('--without', BLOCK_COMPONENTS);

function requestOf(options: AttentionOptions, directions: ReadonlyMap<number, Float32Array>): MapRequest {
  const { form, reduce, branch, without } = options;
  return {
    forms: form,
    reductions: reduce,
    branches: branch ?? ['mixer_1', 'mixer_2', 'diff'],
    named: branch !== undefined,
    partsOfDifference: branch?.includes('diff') ?? false,
    without: new Set(without),
    directions,
  };
}

/** What the residual stream must write for each target, from a forward pass of its own. */
function directionsOf(model: Model, row: number[], { form, target }: AttentionOptions): Map<number, Float32Array> {
  if (!form.includes('logit') || !target) return new Map();
  const residual = finalResidual(model, [row]);
  return new Map(target.map((token) => [token, logitDirection(model, residual, token)]));
}
