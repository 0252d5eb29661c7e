import type { Command } from 'commander';
import {
  attentionBytes,
  attentionOf,
  attributionCodeMap,
  attributionMap,
  type BlockCache,
  capturedBlocks,
  drain,
  mixerBranchesOf,
  operatorOf,
  outputGradients,
  parseReduction,
  readsTokens,
  requireMemory,
  residualsOf,
  rollout,
  shareSteps,
  streamGradients,
} from '@/lib/analysis';
import { refusedRollout } from '@/lib/api/refusals';
import { InputError, type OutputTensor } from '@/lib/checkpoint';
import {
  type Branch,
  isOfShares,
  isWeighed,
  ROLLOUT_METHODS,
  type RolloutMethod,
  rolloutConvention,
} from '@/lib/vocabulary';
import { rowOf } from '../blocks';
import { type Io, progress } from '../io';
import { type CommonOptions, withCommon, withOut } from '../options';
import { printRows, requireWritable, writeTensors } from '../output';
import { choices, wholeNumber } from '../parse';
import { openCheckpointOf, openSession } from '../session';

const METHODS = ROLLOUT_METHODS;
type Method = RolloutMethod;

/** Memory in MB that maps may take. */
const MEMORY = 4096;

interface RolloutOptions extends CommonOptions {
  readonly method: Method[];
  readonly reduce: string;
  readonly startLayer: number;
  readonly target?: number;
  readonly position: number;
  readonly batchIndex: number;
}

/** Attention rollout and gradient-weighted attribution over all layers. */
export function rolloutCommand(program: Command, io: Io, line: string): void {
  withOut(withCommon(program.command('rollout').description('what reaches a position through all layers, by token')))
    .option('--method <list>', METHODS.join(', '), choices('--method', METHODS), ['norm'])
    .option('--reduce <name>', 'mean or mean_abs: the map of a layer (plain, normalised)', 'mean')
    .option('--start-layer <n>', 'layers below count as the identity', wholeNumber('--start-layer', 0), 0)
    .option(
      '--target <id>',
      'token whose logit is explained (attribution, attribution_code)',
      wholeNumber('--target', 0),
    )
    .option('--position <n>', 'position of that logit, −1 the last (attribution, attribution_code)', Number, -1)
    .option('--batch-index <n>', 'row of the input', wholeNumber('--batch-index', 0), 0)
    .action(async (options: RolloutOptions) => {
      if (!['mean', 'mean_abs'].includes(options.reduce))
        throw new InputError(`--reduce takes mean or mean_abs here, not "${options.reduce}".`);
      if (options.method.some(isWeighed) && options.target === undefined)
        throw new InputError('The attribution explains the logit of a token: name it with --target 17.');
      await requireWritable(options.out);
      const checkpoint = await openCheckpointOf(options, io);
      const { V, blocks } = checkpoint.config;
      if (options.target !== undefined && options.target >= V)
        throw new InputError(`Token ${options.target} is outside the vocabulary: ids go from 0 to ${V - 1}.`);
      const shown = blocks.map(({ kind }) => ({ branches: mixerBranchesOf(kind) }));
      for (const method of options.method) {
        const refused = refusedRollout(shown, { method, start: options.startLayer });
        if (refused) throw new InputError(refused.message);
      }
      const row = await rowOf(options, options.batchIndex, checkpoint);
      const layers = [...blocks.keys()];
      const forms = options.method.map((method) => (isOfShares(method) ? 'norm' : 's6'));
      const bytes = attentionBytes(checkpoint.config, row.length, {
        layers,
        mapsPerLayer: options.method.length,
        forms,
      });
      requireMemory(bytes, MEMORY * 2 ** 20, row.length);
      const position = positionOf(options.position, row.length);
      const { model, provenance } = await openSession(checkpoint, options, line, io);

      const start = performance.now();
      const target = options.target as number;
      const asked = (method: Method) => options.method.includes(method);
      const gradients = asked('attribution') ? outputGradients(model, row, { position, target }) : [];
      const weights = asked('attribution_code') ? streamGradients(model, row, { position, target }) : [];
      const streams = options.method.some(isOfShares) ? residualsOf(model, [row]).streams : [];
      const mapOf = (method: Method, block: BlockCache): Float32Array => {
        if (isOfShares(method)) return drain(shareSteps(block, operatorOf(model, block), streams[block.index], method));
        if (!readsTokens(block.kind)) return new Float32Array(row.length ** 2);
        if (method === 'attribution') return attributionMap(block, gradients[block.index]);
        if (method === 'attribution_code') return attributionCodeMap(block, weights[block.index]);
        const branch = mixerBranchesOf(block.kind).at(-1) as Branch;
        return attentionOf(block, { branch, reduce: parseReduction(options.reduce).how }).map;
      };
      const maps = new Map<Method, Float32Array[]>(options.method.map((method) => [method, []]));
      const bar = progress(io, 'layer');
      for (const block of capturedBlocks(model, row, layers)) {
        bar.at(block.index + 1, blocks.length);
        // Layers below the first one that takes part stand there and are not read.
        for (const [method, list] of maps)
          list.push(block.index < options.startLayer ? new Float32Array(0) : mapOf(method, block));
      }
      bar.end();
      const L = row.length;
      const found = [...maps].map(([method, list]): OutputTensor => {
        const normalised = method === 'normalised' || method === 'attribution_code';
        const data = rollout(list, L, { start: options.startLayer, normalised, whole: isOfShares(method) });
        return { name: `rollout.${method}`, shape: [L, L], data };
      });
      if (options.out) await writeTensors(options.out, found, provenance);
      const ms = performance.now() - start;
      const report = found.map(({ name, shape }, k) => ({
        key: name,
        shape,
        ms,
        convention: rolloutConvention({
          ...{ method: options.method[k], reduce: options.reduce, start: options.startLayer, target, position },
        }),
      }));
      printRows(io, report, options.json ?? false, provenance);
    });
}

function positionOf(position: number, L: number): number {
  const found = position < 0 ? L + position : position;
  if (Number.isInteger(found) && found >= 0 && found < L) return found;
  throw new InputError(`--position takes a position from ${-L} to ${L - 1}, not ${position}.`);
}
