/** Hugging Face configs, written: the inverse of `config-hf.ts` (equations B1, B3, B5). */

import { ARCHITECTURES, differenceOf, isDifferentialKind } from '@/lib/architectures';
import { defaultLambdaInit, expandOf, vocabularyFields } from './config-common';
import type { JsonObject } from './json';
import { type BlockConfig, type BlockKind, InputError, isDifferential, type ModelConfig } from './types';

export const HF_FORMATS = ['hf-mamba', 'hf-falcon-mamba', 'hf-mamba2', 'hf-diffmamba2'] as const;
export type HfFormat = (typeof HF_FORMATS)[number];

const ELSE = 'save it in Statescope’s own format';

/** Fields that no tensor and no equation depends on, as the published files have them. */
const COMMON: JsonObject = {
  bos_token_id: 0,
  eos_token_id: 0,
  pad_token_id: 0,
  hidden_act: 'silu',
  initializer_range: 0.1,
  rescale_prenorm_residual: false,
  residual_in_fp32: true,
  rms_norm: true,
  time_step_min: 0.001,
  time_step_max: 0.1,
  time_step_floor: 0.0001,
  use_cache: true,
};

/** Python tells floats from integers, and newer libraries check the type: 0 must be written 0.0. */
const FLOAT = 'float:';

function float(value: number): string {
  if (Number.isFinite(value)) return FLOAT + (Number.isInteger(value) ? value.toFixed(1) : String(value));
  return `${FLOAT}${value}`;
}

const toJson = (fields: JsonObject): string =>
  `${JSON.stringify(fields, null, 2).replace(new RegExp(`"${FLOAT}([^"]*)"`, 'g'), '$1')}\n`;

/** The block as the fields of a config describe it: a Diff block by the plain block of the same heads. */
function plainForm(block: BlockConfig): string {
  const { mixer } = block;
  const plain = isDifferential(block) ? { ...mixer, E: 2 * mixer.d, P: 2 * mixer.P } : mixer;
  return JSON.stringify({ ...plain, high: String(mixer.timeStepLimit[1]) });
}

/** `all`, `alternate` (even indices), `quarter` (the last floor(n/4)), as the authors' code reads it (equations A5). */
function diffSetting(blocks: readonly BlockConfig[]): string {
  const n = blocks.length;
  const rules = {
    all: () => true,
    alternate: (i: number) => i % 2 === 0,
    quarter: (i: number) => i >= n - Math.floor(n / 4),
  };
  const found = Object.entries(rules).find(([, rule]) => blocks.every((block, i) => isDifferential(block) === rule(i)));
  if (!found)
    throw new InputError(
      `The Hugging Face format knows Diff blocks in the patterns all, alternate and quarter, and this model has another; ${ELSE}.`,
    );
  return found[0];
}

function checkDiffBlock(block: BlockConfig, i: number): void {
  if (!isDifferential(block)) return;
  const { mixer, lambda, lambdaInit, subln } = block;
  const asPublished =
    mixer.E === mixer.d && lambda === 'sigmoid_sum' && subln && Math.abs(lambdaInit - defaultLambdaInit(i)) < 1e-12;
  if (!asPublished)
    throw new InputError(
      `Block ${i} has a λ, λ_init, subln or width other than the published Diff-Mamba, which the Hugging Face format cannot say; ${ELSE}.`,
    );
}

/** The kinds that a format can hold, and the format of a model that has any. */
const FORMATS: Readonly<Partial<Record<BlockKind, HfFormat>>> = {
  diff_mamba2: 'hf-diffmamba2',
  mamba2: 'hf-mamba2',
  falcon_mamba: 'hf-falcon-mamba',
  mamba1: 'hf-mamba',
};

/**
 * The format that can hold a model: all blocks Mamba-1, all FalconMamba, all Mamba-2, or Mamba-2 and published Diff-Mamba-2
 * blocks.
 * @throws InputError for other kinds, for blocks of different sizes, and for Diff blocks unlike the published ones
 */
function formatOf({ blocks, epsilon }: ModelConfig): HfFormat {
  const kinds = new Set(blocks.map(({ kind }) => kind));
  const plain = new Set([...kinds].map((kind) => (isDifferentialKind(kind) ? differenceOf({ kind }).mixers : kind)));
  if (plain.size > 1 || ![...kinds].every((kind) => kind in FORMATS))
    throw new InputError(`The Hugging Face formats cannot hold ${[...kinds].join(' and ')} blocks; ${ELSE}.`);
  const otherNorm = ({ kind, mixer }: BlockConfig) =>
    ARCHITECTURES[kind].ownEpsilon === undefined && mixer.epsilon !== epsilon;
  if (new Set(blocks.map(plainForm)).size > 1 || blocks.some(otherNorm))
    throw new InputError(`The Hugging Face formats need blocks of equal sizes, and these differ; ${ELSE}.`);
  blocks.forEach(checkDiffBlock);
  const first = (Object.keys(FORMATS) as BlockKind[]).find((kind) => kinds.has(kind)) as BlockKind;
  return FORMATS[first] as HfFormat;
}

function mamba1Fields({ R, E, epsilon }: BlockConfig['mixer'], falcon: boolean): JsonObject {
  return {
    architectures: [falcon ? 'FalconMambaForCausalLM' : 'MambaForCausalLM'],
    model_type: falcon ? 'falcon_mamba' : 'mamba',
    intermediate_size: E,
    time_step_rank: R,
    time_step_scale: float(1),
    time_step_init_scheme: 'random',
    ...(falcon && { mixer_rms_eps: float(epsilon) }),
  };
}

function mamba2Fields(block: BlockConfig, format: HfFormat): JsonObject {
  const { mixer } = block;
  return {
    architectures: [format === 'hf-mamba2' ? 'Mamba2ForCausalLM' : 'DiffMamba2ForCausalLM'],
    model_type: 'mamba2',
    num_heads: mixer.H,
    head_dim: isDifferential(block) ? 2 * mixer.P : mixer.P,
    n_groups: mixer.G,
    chunk_size: 256,
    time_step_limit: mixer.timeStepLimit.map(float),
    time_step_rank: Math.ceil(mixer.d / 16),
  };
}

/**
 * The text of a config.json that `parseConfig`, and the Python classes, read back to the same model. An infinite Δ limit
 * is the bare `Infinity` that Python writes.
 * @param kept fields of the model's former config.json; those that say nothing about its shape (token ids, initial
 *   ranges) are taken over
 * @throws InputError where no Hugging Face format can hold the model
 */
export function writeHf(config: ModelConfig, dtype: string, kept: JsonObject = {}): string {
  const format = formatOf(config);
  const [first] = config.blocks;
  const { mixer } = first;
  const inherited = Object.fromEntries(Object.keys(COMMON).map((field) => [field, kept[field] ?? COMMON[field]]));
  return toJson({
    ...inherited,
    ...(mixer.H === 0 ? mamba1Fields(mixer, format === 'hf-falcon-mamba') : mamba2Fields(first, format)),
    hidden_size: config.d,
    num_hidden_layers: config.blocks.length,
    ...vocabularyFields(config),
    state_size: mixer.N,
    conv_kernel: mixer.K,
    expand: isDifferential(first) ? 2 : expandOf(mixer.E, config.d),
    use_bias: mixer.useBias,
    use_conv_bias: mixer.useConvBias,
    layer_norm_epsilon: config.epsilon,
    tie_word_embeddings: config.tied,
    torch_dtype: dtype,
    ...(format === 'hf-diffmamba2' && {
      diffmamba: true,
      diffmamba_settings: diffSetting(config.blocks),
      verbose: kept.verbose ?? 0,
    }),
  });
}
