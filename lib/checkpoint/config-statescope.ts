/**
 * Statescope's own config, reading and writing. Beyond one value for all blocks, the sizes of the mixers, `lambda` and
 * `subln` may be lists with one value per block, as `layers` and `lambda_init` are: a hybrid of plain (expand 2) and
 * Diff blocks (expand 1) cannot be told otherwise.
 */

import { ARCHITECTURES, blockOf, differenceOf, familyOf, isDifferentialKind } from '@/lib/architectures';
import type { Family } from '@/lib/architectures/types';
import {
  blockCount,
  type ConfigInput,
  defaultLambdaInit,
  expandOf,
  headCount,
  innerWidth,
  isTied,
  timeStepRank,
  vocabularyFields,
  vocabularyRows,
} from './config-common';
import { Fields, type JsonObject, toNumber } from './json';
import {
  BLOCK_KINDS,
  type BlockConfig,
  InputError,
  isDifferential,
  isHybrid,
  type LambdaForm,
  type MixerConfig,
  type ModelConfig,
  type SingleKind,
} from './types';

const PER_BLOCK = [
  'layers',
  'expand',
  'state_size',
  'conv_kernel',
  'time_step_rank',
  'head_dim',
  'n_groups',
  'subln',
  'lambda',
  'lambda_init',
  'mixer_rms_eps',
] as const;

/** The fields as block i sees them: its own entry where a field is a list. */
function fieldsOfBlock(fields: Fields, i: number, n: number): Fields {
  const own: Record<string, unknown> = {};
  for (const field of PER_BLOCK) {
    const value = fields.raw(field);
    if (Array.isArray(value) && value.length !== n) throw fields.fail(field, `one value, or a list of ${n}`);
    own[field] = Array.isArray(value) ? value[i] : value;
  }
  return new Fields(own, fields.label);
}

/** Undefined where the file leaves it to the kind. */
function readLambda(fields: Fields): LambdaForm | undefined {
  const value = fields.raw('lambda');
  if (value === undefined) return undefined;
  if (value === 'sigmoid_sum' || value === 'sigmoid_scalar' || value === 'sigmoid_channel' || value === 'exp')
    return value;
  const constant = typeof value === 'object' ? toNumber((value as JsonObject).constant) : undefined;
  if (constant === undefined || !Number.isFinite(constant)) {
    throw fields.fail('lambda', 'sigmoid_sum, sigmoid_scalar, sigmoid_channel, exp or {"constant": number}');
  }
  return { constant };
}

function readBlock(
  own: Fields,
  i: number,
  common: Pick<MixerConfig, 'd' | 'timeStepLimit' | 'useBias' | 'useConvBias' | 'epsilon'>,
): BlockConfig {
  const kind = own.raw('layers') as SingleKind;
  if (!BLOCK_KINDS.includes(kind)) throw own.fail('layers', `one of ${BLOCK_KINDS.join(', ')}`);
  const { d } = common;
  const { expand, ownEpsilon } = ARCHITECTURES[kind];
  const epsilon = ownEpsilon === undefined ? common.epsilon : own.positive('mixer_rms_eps', ownEpsilon);
  const E = innerWidth(own, own.positive('expand', expand), d);
  const sizes = { ...common, epsilon, E, N: own.size('state_size'), K: own.size('conv_kernel', 4) };
  const mixer = familyOf(kind) === 'mamba1' ? mamba1Mixer(own, sizes) : mamba2Mixer(own, sizes);
  if (!isDifferentialKind(kind)) return { kind, mixer };
  if (ARCHITECTURES[kind].anatomy.difference.doubled && d % 2 !== 0)
    throw new InputError(`${own.label}: ${kind} needs an even hidden_size.`);
  const lambdaInit = toNumber(own.raw('lambda_init') ?? defaultLambdaInit(i));
  if (lambdaInit === undefined || !Number.isFinite(lambdaInit)) throw own.fail('lambda_init', 'one number per block');
  return blockOf(kind, mixer, { lambda: readLambda(own), lambdaInit, subln: own.flag('subln', true) });
}

type Sizes = Omit<MixerConfig, 'R' | 'H' | 'P' | 'G'>;

function mamba1Mixer(own: Fields, sizes: Sizes): MixerConfig {
  const R = timeStepRank(own, 'time_step_rank', sizes.d);
  return { ...sizes, R, H: 0, P: 0, G: 0, timeStepLimit: [0, Number.POSITIVE_INFINITY] };
}

function mamba2Mixer(own: Fields, sizes: Sizes): MixerConfig {
  const P = own.size('head_dim');
  const G = own.size('n_groups', 1);
  return { ...sizes, R: 0, H: headCount(own, sizes.E, P, G), P, G };
}

/** @throws InputError naming the field that cannot be used */
export function readStatescope(input: ConfigInput): ModelConfig {
  const { fields } = input;
  const d = fields.size('hidden_size');
  const n = blockCount(fields, 'num_hidden_layers');
  const epsilon = fields.positive('layer_norm_epsilon', 1e-5);
  const common = {
    d,
    timeStepLimit: fields.range('time_step_limit'),
    useBias: fields.flag('use_bias', false),
    useConvBias: fields.flag('use_conv_bias', true),
    epsilon,
  };
  return {
    format: 'statescope',
    d,
    ...vocabularyRows(input, fields.size('vocab_size')),
    epsilon,
    tied: isTied(input, 'tie_word_embeddings', true),
    blocks: Array.from({ length: n }, (_, i) => readBlock(fieldsOfBlock(fields, i, n), i, common)),
  };
}

/** One value where all blocks agree, otherwise the list. */
function shared<T>(values: readonly T[]): T | readonly T[] {
  return values.every((value) => JSON.stringify(value) === JSON.stringify(values[0])) ? values[0] : values;
}

const ofFamily = (blocks: readonly BlockConfig[], family: Family) =>
  blocks.filter(({ kind }) => familyOf(kind) === family);

const hasOwnEpsilon = ({ kind }: BlockConfig) => ARCHITECTURES[kind].ownEpsilon !== undefined;

/** Null for plain blocks, and where λ is what a kind without parameters of λ has when a config says nothing. */
function lambdaToWrite(block: BlockConfig): LambdaForm | null {
  if (!isDifferential(block)) return null;
  const { subln, lambda: published } = differenceOf(block);
  return subln === undefined && JSON.stringify(block.lambda) === JSON.stringify(published) ? null : block.lambda;
}

/** @throws InputError for models that only the files of their own type can hold */
function requireSingle({ blocks }: ModelConfig): void {
  const hybrid = blocks.find(isHybrid);
  if (!hybrid) return;
  throw new InputError(
    `Models with ${hybrid.kind} blocks are read and not written: train or convert a model without attention.`,
  );
}

/**
 * The config.json that `readStatescope` reads back to the same blocks.
 * @throws InputError where Mamba-2 blocks differ in their Δ range, or mixers in their biases, and for blocks of hybrids
 */
export function writeStatescope(config: ModelConfig): JsonObject {
  const { blocks, d, epsilon } = config;
  requireSingle(config);
  const every = <T>(of: (mixer: MixerConfig) => T) => shared(blocks.map(({ mixer }) => of(mixer)));
  const single = <T>(field: string, values: readonly T[]): T => {
    if (new Set(values.map((value) => String(value))).size <= 1) return values[0];
    throw new InputError(`${field} must be the same in all blocks to be saved.`);
  };
  const mamba1 = ofFamily(blocks, 'mamba1');
  const mamba2 = ofFamily(blocks, 'mamba2');
  const lambdas = blocks.map(lambdaToWrite);
  const [low, high] =
    single(
      'time_step_limit',
      mamba2.map(({ mixer }) => mixer.timeStepLimit),
    ) ?? [];
  return {
    model_type: 'statescope',
    hidden_size: d,
    num_hidden_layers: blocks.length,
    ...vocabularyFields(config),
    layers: shared(blocks.map(({ kind }) => kind)),
    expand: every(({ E }) => expandOf(E, d)),
    state_size: every(({ N }) => N),
    conv_kernel: every(({ K }) => K),
    ...(mamba1.length > 0 && { time_step_rank: every(({ R }) => R || null) }),
    ...(mamba2.length > 0 && {
      head_dim: every(({ P }) => P || null),
      n_groups: every(({ G }) => G || null),
      time_step_limit: [
        low === Number.NEGATIVE_INFINITY ? '-inf' : low,
        high === Number.POSITIVE_INFINITY ? 'inf' : high,
      ],
    }),
    use_bias: single(
      'use_bias',
      blocks.map(({ mixer }) => mixer.useBias),
    ),
    use_conv_bias: single(
      'use_conv_bias',
      blocks.map(({ mixer }) => mixer.useConvBias),
    ),
    layer_norm_epsilon: epsilon,
    ...(blocks.some(hasOwnEpsilon) && {
      mixer_rms_eps: shared(blocks.map((block) => (hasOwnEpsilon(block) ? block.mixer.epsilon : null))),
    }),
    tie_word_embeddings: config.tied,
    residual_in_fp32: true,
    ...(lambdas.some((lambda) => lambda !== null) && {
      subln: shared(blocks.map((block) => !isDifferential(block) || block.subln)),
      lambda: shared(lambdas),
      lambda_init: blocks.map((block) => (isDifferential(block) ? block.lambdaInit : 0)),
    }),
  };
}
