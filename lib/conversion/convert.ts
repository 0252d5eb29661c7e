/** Plain to differential: the weights of a trained Mamba become the branches of Diff-Mamba blocks. */

import { ARCHITECTURES, familyOf } from '@/lib/architectures';
import {
  type BlockConfig,
  type Checkpoint,
  type CheckpointTensor,
  defaultLambdaInit,
  expectedTensors,
  InputError,
  type ModelConfig,
} from '@/lib/checkpoint';
import { Random } from '@/lib/random';
import { applyCut, awareMamba1Cut, awareMamba2Cut, type Branch, type CutOf, rawCut } from './cuts';
import { chosenBlocks, type Pattern } from './pattern';

export const CONVERSION_KINDS = ['diff_mamba2', 'diff_mamba1'] as const;
export type ConversionKind = (typeof CONVERSION_KINDS)[number];

export const CONVERSION_LAYOUTS = ['raw', 'aware'] as const;
export type ConversionLayout = (typeof CONVERSION_LAYOUTS)[number];

export interface ConversionOptions {
  readonly to: ConversionKind;
  readonly pattern: Pattern;
  /** `raw` slices as the authors did, `aware` respects what the rows mean (see `cuts.ts`). Default `raw`. */
  readonly layout?: ConversionLayout;
  /** Seed of the λ vectors, a whole number below 2³². Default 0. */
  readonly seed?: number;
  /** Name of the new model; default: the old one's with the kind, the pattern and the layout. */
  readonly name?: string;
}

/** @throws InputError unless the block can be split into two mixers of expand 1 */
function differentialBlock({ kind, mixer }: BlockConfig, i: number, to: ConversionKind): BlockConfig {
  const { mixers: needed, lambda } = ARCHITECTURES[to].anatomy.difference;
  if (kind !== needed)
    throw new InputError(
      `Block ${i} is ${kind}, and only ${needed} can become ${to}: choose other blocks or another kind.`,
    );
  const { d, E, P, H } = mixer;
  if (E !== 2 * d)
    throw new InputError(
      `Block ${i} has inner width ${E}: only twice the model width, ${2 * d}, splits into two branches.`,
    );
  if (P % 2 !== 0)
    throw new InputError(
      `Block ${i} has head dimension ${P}: it must be even, since each branch takes half of every head.`,
    );
  return {
    kind: to,
    mixer: { ...mixer, E: d, P: P / 2, H },
    lambda,
    lambdaInit: defaultLambdaInit(i),
    subln: true,
  };
}

function cutOf(layout: ConversionLayout, { kind, mixer }: BlockConfig): CutOf {
  if (layout === 'raw') return rawCut;
  return familyOf(kind) === 'mamba2' ? awareMamba2Cut(mixer) : awareMamba1Cut(mixer);
}

/** The shape of what {@link convertCheckpoint} makes. @throws InputError as that does */
export function convertedConfig(
  config: ModelConfig,
  { to, pattern }: Pick<ConversionOptions, 'to' | 'pattern'>,
): ModelConfig {
  const chosen = new Set(chosenBlocks(pattern, config.blocks.length));
  return {
    ...config,
    format: 'statescope',
    blocks: config.blocks.map((block, i) => (chosen.has(i) ? differentialBlock(block, i, to) : block)),
  };
}

const BLOCK_TENSOR = /^backbone\.layers\.(\d+)\.(?:mixer_([12])\.)?(.+)$/;

/**
 * Turns plain blocks into differential ones (equations B, `from_pretrained_block`): Mamba-2 into `diff_mamba2` (two
 * mixers of expand 1, half the head dimension, the same heads), Mamba-1 into `diff_mamba1`. Block norms and everything
 * outside the chosen blocks stay as they are and share the old checkpoint's memory. λ vectors are N(0, 1), with a
 * stream of their own per block, so that λ of a block is the same under every pattern and layout; subln is 1; λ_init is
 * 0.8 − 0.6·exp(−0.3·i). Cost: one copy of the chosen blocks' weights.
 * @returns a model in Statescope's format; `saveCheckpoint` and, for Mamba-2, `saveHfCheckpoint` write it
 * @throws InputError where a chosen block is of another kind, is not of expand 2, or has an odd head dimension
 */
export function convertCheckpoint(
  checkpoint: Checkpoint,
  { to, pattern, layout = 'raw', seed = 0, name = nameOf(checkpoint.name, to, pattern, layout) }: ConversionOptions,
): Checkpoint {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new InputError(`The seed ${seed} cannot be used: give a whole number from 0 to ${2 ** 32 - 1}.`);
  const { blocks } = checkpoint.config;
  const chosen = new Set(chosenBlocks(pattern, blocks.length));
  const config = convertedConfig(checkpoint.config, { to, pattern });
  const streams = blocks.map((_, i) => new Random(seed + i * 2 ** 32));
  const cuts = blocks.map((block) => cutOf(layout, block));
  const tensors = new Map<string, CheckpointTensor>();
  let parameterCount = 0;
  for (const [target, shape] of expectedTensors(config)) {
    const [, layer, branch, local] = BLOCK_TENSOR.exec(target) ?? [];
    const i = Number(layer);
    if (branch && chosen.has(i)) {
      const source = tensorOf(checkpoint, `backbone.layers.${i}.mixer.${local}`);
      const cut = cuts[i](local, source.shape, shape, Number(branch) as Branch);
      const data = cut ? applyCut(source.data, source.shape, cut) : source.data;
      tensors.set(target, { sourceName: target, shape, dtype: source.dtype, data });
    } else if (chosen.has(i) && local !== 'norm.weight') {
      const draw = local === 'subln.weight' ? () => 1 : () => streams[i].normal();
      tensors.set(target, {
        sourceName: target,
        shape,
        dtype: 'float32',
        data: Float32Array.from({ length: shape[0] }, draw),
      });
    } else {
      tensors.set(target, { ...tensorOf(checkpoint, target), sourceName: target });
    }
    parameterCount += shape.reduce((product, size) => product * size, 1);
  }
  return { ...checkpoint, path: '', name, config, tensors, parameterCount };
}

function tensorOf({ tensors, name: model }: Checkpoint, name: string): CheckpointTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new InputError(`${model} has no tensor ${name}: load it again from a complete checkpoint.`);
  return tensor;
}

function nameOf(model: string, to: ConversionKind, pattern: Pattern, layout: ConversionLayout): string {
  const blocks = typeof pattern === 'string' ? pattern : `blocks-${pattern.join('-')}`;
  return `${model}-${to}-${blocks}-${layout}`;
}
