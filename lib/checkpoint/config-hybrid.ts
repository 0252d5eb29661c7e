/**
 * Hugging Face configs of models with attention beside Mamba, in the spelling of published files and in that of transformers 5:
 * `granitemoehybrid` without experts, `falcon_h1`, `bamba`, `nemotron_h`, `jamba` without experts.
 */

import type { AttentionConfig, MlpConfig, SsdVariant } from '@/lib/architectures/types';
import { blockCount, type ConfigInput, innerWidth, isTied, timeStepRank, vocabularyRows } from './config-common';
import { Fields, type JsonObject, toNumber } from './json';
import { type BlockConfig, type HybridBlock, InputError, type MixerConfig, type ModelConfig } from './types';

export const HYBRID_TYPES = ['granitemoehybrid', 'falcon_h1', 'bamba', 'nemotron_h', 'jamba'] as const;
export type HybridType = (typeof HYBRID_TYPES)[number];

type Layer = 'mamba' | 'attention' | 'mlp';

/** Both spellings of what a layer is. */
const LAYERS: Readonly<Record<string, Layer>> = {
  mamba: 'mamba',
  linear_attention: 'mamba',
  attention: 'attention',
  full_attention: 'attention',
  mlp: 'mlp',
};

const PATTERN: Readonly<Record<string, Layer>> = { M: 'mamba', '*': 'attention', '-': 'mlp' };

const UNBOUNDED = [0, Number.POSITIVE_INFINITY] as const;
const ALL_ONE = { mamba: 1, attention: 1, mlp: 1 } as const;

/** The layers that a list in the config names. @throws InputError for other layers, or where the count is another */
function listed(fields: Fields, field: string, known: readonly Layer[], n?: number): Layer[] {
  const value = fields.raw(field);
  const layers = Array.isArray(value) ? value.map((each) => LAYERS[String(each)]) : [];
  if (layers.length === 0 || layers.some((layer) => !known.includes(layer)))
    throw fields.fail(field, `a list of ${known.join(' and ')} layers`);
  if (n !== undefined && layers.length !== n) throw fields.fail(field, `a list of num_hidden_layers (${n}) layers`);
  return layers;
}

/** A number other than zero. */
function factor(fields: Fields, field: string, missing = 1): number {
  const value = fields.raw(field);
  const number = value === undefined ? missing : toNumber(value);
  if (number === undefined || !Number.isFinite(number) || number === 0)
    throw fields.fail(field, 'a number that is not 0');
  return number;
}

function factors(fields: Fields, field: string, missing: readonly number[]): number[] {
  const value = fields.raw(field) ?? missing;
  const numbers = Array.isArray(value) ? value.map(toNumber) : [];
  if (numbers.length !== missing.length || numbers.some((each) => each === undefined || !Number.isFinite(each)))
    throw fields.fail(field, `a list of ${missing.length} numbers`);
  return numbers as number[];
}

/** θ of rope from either spelling, and the share of each head that is turned. @throws InputError for scaled frequencies */
function ropeOf(fields: Fields, D: number, share: (parameters: Fields) => number): AttentionConfig['rope'] {
  const given = (fields.raw('rope_parameters') ?? {}) as JsonObject;
  const parameters = new Fields(given, `${fields.label}, rope_parameters`);
  parameters.only('rope_type', ['default'], 'rope with scaled frequencies');
  fields.only('rope_scaling', [], 'rope with scaled frequencies');
  const theta = new Fields({ rope_theta: given.rope_theta ?? fields.raw('rope_theta') }, fields.label);
  const width = Math.floor(D * share(parameters));
  if (width < 2 || width % 2 !== 0)
    throw new InputError(`${fields.label}: rope turns pairs of components, and ${width} of a head's ${D} are none.`);
  return { theta: theta.positive('rope_theta', 10000), width };
}

/** The whole of each head. */
function whole(parameters: Fields): number {
  parameters.only('partial_rotary_factor', [1], 'rope turns whole heads in models of this type');
  return 1;
}

interface HeadNames {
  readonly dimension?: number;
  readonly bias: boolean;
}

/** Attention with the names that all types share. */
function attentionOf(fields: Fields, d: number, { dimension, bias }: HeadNames): AttentionConfig {
  const H = fields.size('num_attention_heads');
  const KV = fields.size('num_key_value_heads', H);
  const D = dimension ?? d / H;
  if (!Number.isInteger(D)) throw fields.fail('num_attention_heads', `a number that divides hidden_size (${d})`);
  if (H % KV !== 0) throw fields.fail('num_key_value_heads', `a number that divides num_attention_heads (${H})`);
  return { H, KV, D, scale: D ** -0.5, useBias: bias, input: 1, keys: 1 };
}

const mlpOf = (fields: Fields, useBias = false): MlpConfig => ({
  width: fields.size('intermediate_size'),
  useBias,
  gate: 1,
  output: 1,
});

/** Sizes of a block without a scan. */
const withoutScan = (d: number, E: number): MixerConfig => ({
  d,
  E,
  N: 0,
  K: 0,
  R: 0,
  H: 0,
  P: 0,
  G: 0,
  timeStepLimit: UNBOUNDED,
  useBias: false,
  useConvBias: false,
  epsilon: 0,
});

/** Mamba-2 of Granite, Falcon-H1 and Bamba. */
function mamba2Of(fields: Fields, d: number, epsilon: number, E: number): MixerConfig {
  const H = fields.size('mamba_n_heads');
  const G = fields.size('mamba_n_groups', 1);
  if (E % H !== 0) throw fields.fail('mamba_n_heads', `a number that divides the inner width (${E})`);
  if (H % G !== 0) throw fields.fail('mamba_n_groups', `a number that divides mamba_n_heads (${H})`);
  const P = E / H;
  const stated = fields.raw('mamba_d_head');
  if (stated !== undefined && stated !== 'auto' && fields.size('mamba_d_head') !== P)
    throw fields.fail('mamba_d_head', `${P} (inner width / mamba_n_heads)`);
  return {
    d,
    E,
    N: fields.size('mamba_d_state', 256),
    K: fields.size('mamba_d_conv', 4),
    R: 0,
    H,
    P,
    G,
    timeStepLimit: fields.range('time_step_limit'),
    useBias: fields.flag('mamba_proj_bias', false),
    useConvBias: fields.flag('mamba_conv_bias', true),
    epsilon,
  };
}

const expanded = (fields: Fields, d: number): number => innerWidth(fields, fields.positive('mamba_expand', 2), d);

/** @throws InputError for a mixture of experts, which the class of transformers makes where the field is missing */
function withoutExperts(
  fields: Fields,
  field: string,
  counts: { readonly default: number; readonly none: number },
): void {
  const value = fields.raw(field) ?? counts.default;
  if (toNumber(value) !== counts.none)
    throw new InputError(
      `${fields.label}: ${field} ${JSON.stringify(value)} is a mixture of experts, which is not supported: models without experts (${field} ${counts.none}) are read.`,
    );
}

/** What a type has to say of its blocks. */
interface Read {
  readonly blocks: readonly BlockConfig[];
  readonly scales?: ModelConfig['scales'];
}

function readGranite(fields: Fields, d: number, epsilon: number): Read {
  withoutExperts(fields, 'num_local_experts', { default: 8, none: 0 });
  fields.only('normalization_function', ['rmsnorm'], 'the norms must be rmsnorm');
  const r = factor(fields, 'residual_multiplier');
  const scales = { mamba: r, attention: r, mlp: r };
  const mlp: MlpConfig = { width: fields.size('shared_intermediate_size', 1024), useBias: false, gate: 1, output: 1 };
  const heads = attentionOf(fields, d, { bias: fields.flag('attention_bias', false) });
  const turned = fields.text('position_embedding_type') === 'rope';
  const attention = {
    ...heads,
    scale: factor(fields, 'attention_multiplier'),
    ...(turned && { rope: ropeOf(fields, heads.D, whole) }),
  };
  const mixer = mamba2Of(fields, d, epsilon, expanded(fields, d));
  const layers = listed(fields, layerField(fields), ['mamba', 'attention'], count(fields));
  return {
    scales: { embedding: factor(fields, 'embedding_multiplier'), logits: 1 / factor(fields, 'logits_scaling') },
    blocks: layers.map(
      (layer): HybridBlock =>
        layer === 'mamba'
          ? { kind: 'granite_mamba2', mixer, mlp, epsilon, scales }
          : { kind: 'granite_attention', mixer: withoutScan(d, heads.H * heads.D), attention, mlp, epsilon, scales },
    ),
  };
}

const layerField = (fields: Fields): string =>
  fields.raw('layer_types') === undefined ? 'layers_block_type' : 'layer_types';

const count = (fields: Fields): number | undefined =>
  fields.raw('num_hidden_layers') === undefined ? undefined : blockCount(fields, 'num_hidden_layers');

function readFalconH1(fields: Fields, d: number, epsilon: number): Read {
  const own = fields.raw('mamba_d_ssm') === undefined ? expanded(fields, d) : fields.size('mamba_d_ssm');
  const [z, x, B, C, dt] = factors(fields, 'ssm_multipliers', [1, 1, 1, 1, 1]);
  const norm = fields.flag('mamba_rms_norm', false);
  const variant: SsdVariant = {
    input: factor(fields, 'ssm_in_multiplier'),
    parts: [z, x, B, C, dt],
    norm: norm ? (fields.flag('mamba_norm_before_gate', true) ? 'before_gate' : 'after_gate') : 'none',
  };
  const mixer = {
    ...mamba2Of(fields, d, epsilon, own),
    useOutBias: fields.flag('projectors_bias', false),
    variant,
  };
  const dimension = fields.raw('head_dim') === undefined ? undefined : fields.size('head_dim');
  const heads = attentionOf(fields, d, { dimension, bias: fields.flag('attention_bias', false) });
  const [gate, output] = factors(fields, 'mlp_multipliers', [1, 1]);
  const block: HybridBlock = {
    kind: 'falcon_h1',
    mixer,
    attention: {
      ...heads,
      rope: ropeOf(fields, heads.D, whole),
      input: factor(fields, 'attention_in_multiplier'),
      keys: factor(fields, 'key_multiplier'),
    },
    mlp: { ...mlpOf(fields, fields.flag('mlp_bias', false)), gate, output },
    epsilon,
    scales: {
      mamba: factor(fields, 'ssm_out_multiplier'),
      attention: factor(fields, 'attention_out_multiplier'),
      mlp: 1,
    },
  };
  return {
    scales: { embedding: factor(fields, 'embedding_multiplier'), logits: factor(fields, 'lm_head_multiplier') },
    blocks: Array.from({ length: blockCount(fields, 'num_hidden_layers') }, () => block),
  };
}

function readBamba(fields: Fields, d: number, epsilon: number): Read {
  const n = blockCount(fields, 'num_hidden_layers');
  const stated = fields.raw('attn_layer_indices') ?? [];
  if (!Array.isArray(stated) || stated.some((i) => !Number.isInteger(i) || i < 0 || i >= n))
    throw fields.fail('attn_layer_indices', `a list of layers from 0 to ${n - 1}`);
  const mixer = mamba2Of(fields, d, epsilon, expanded(fields, d));
  const heads = attentionOf(fields, d, { bias: fields.flag('attention_bias', false) });
  const rope = ropeOf(fields, heads.D, (given) => given.positive('partial_rotary_factor', 0.5));
  const common = { mlp: mlpOf(fields, fields.flag('mlp_bias', false)), epsilon, scales: ALL_ONE };
  return {
    blocks: Array.from({ length: n }, (_, i): HybridBlock => {
      if (!stated.includes(i)) return { kind: 'bamba_mamba2', mixer, ...common };
      const attention = { ...heads, rope };
      return { kind: 'bamba_attention', mixer: withoutScan(d, heads.H * heads.D), attention, ...common };
    }),
  };
}

/** Δ is clamped from below at time_step_min, and `time_step_limit`, `expand` and `attention_bias` have no effect. */
function readNemotron(fields: Fields, d: number, epsilon: number): Read {
  fields.only('mlp_hidden_act', ['relu2'], 'the activation of the MLP must be relu2');
  fields.only('mamba_hidden_act', ['silu', 'swish'], 'the activation of the mixer must be silu');
  const pattern = fields.text('hybrid_override_pattern');
  if (pattern !== undefined && [...pattern].some((letter) => !PATTERN[letter]))
    throw fields.fail(
      'hybrid_override_pattern',
      'a text of M (Mamba-2), * (attention) and - (MLP); experts are not read',
    );
  const layers = pattern
    ? [...pattern].map((letter) => PATTERN[letter])
    : listed(fields, 'layers_block_type', ['mamba', 'attention', 'mlp']);
  const [H, P, G] = [
    fields.size('mamba_num_heads', 128),
    fields.size('mamba_head_dim', 64),
    fields.size('n_groups', 8),
  ];
  if (H % G !== 0) throw fields.fail('n_groups', `a number that divides mamba_num_heads (${H})`);
  const mixer: MixerConfig = {
    d,
    E: H * P,
    N: fields.size('ssm_state_size', 128),
    K: fields.size('conv_kernel', 4),
    R: 0,
    H,
    P,
    G,
    timeStepLimit: [fields.positive('time_step_min', 0.001), Number.POSITIVE_INFINITY],
    useBias: fields.flag('use_bias', false),
    useConvBias: fields.flag('use_conv_bias', true),
    epsilon,
  };
  const attention = attentionOf(fields, d, { dimension: fields.size('head_dim', 128), bias: false });
  const mlp = mlpOf(fields, fields.flag('mlp_bias', false));
  const common = { epsilon, scales: ALL_ONE };
  return {
    blocks: layers.map((layer): BlockConfig => {
      if (layer === 'mamba') return { kind: 'mamba2', mixer };
      if (layer === 'mlp') return { kind: 'nemotron_h_mlp', mixer: withoutScan(d, mlp.width), mlp, ...common };
      return { kind: 'nemotron_h_attention', mixer: withoutScan(d, attention.H * attention.D), attention, ...common };
    }),
  };
}

function readJamba(fields: Fields, d: number, epsilon: number): Read {
  withoutExperts(fields, 'num_experts', { default: 16, none: 1 });
  const n = blockCount(fields, 'num_hidden_layers');
  const period = fields.size('attn_layer_period', 8);
  const offset = toNumber(fields.raw('attn_layer_offset') ?? 4);
  if (offset === undefined || !Number.isInteger(offset) || offset < 0)
    throw fields.fail('attn_layer_offset', 'a whole number ≥ 0');
  const bias = fields.flag('mamba_proj_bias', false);
  const mixer: MixerConfig = {
    ...withoutScan(d, expanded(fields, d)),
    N: fields.size('mamba_d_state', 16),
    K: fields.size('mamba_d_conv', 4),
    R: timeStepRank(fields, 'mamba_dt_rank', d),
    useBias: bias,
    useConvBias: fields.flag('mamba_conv_bias', true),
    epsilon,
  };
  const attention = attentionOf(fields, d, { bias: false });
  const common = { mlp: mlpOf(fields), epsilon, scales: ALL_ONE };
  return {
    blocks: Array.from({ length: n }, (_, i): HybridBlock => {
      if (i % period !== offset) return { kind: 'jamba_mamba1', mixer, ...common };
      return { kind: 'jamba_attention', mixer: withoutScan(d, attention.H * attention.D), attention, ...common };
    }),
  };
}

const READERS = {
  granitemoehybrid: [readGranite, 'hf-granitemoehybrid', 'rms_norm_eps', 1e-6],
  falcon_h1: [readFalconH1, 'hf-falcon-h1', 'rms_norm_eps', 1e-5],
  bamba: [readBamba, 'hf-bamba', 'rms_norm_eps', 1e-5],
  nemotron_h: [readNemotron, 'hf-nemotron-h', 'layer_norm_epsilon', 1e-5],
  jamba: [readJamba, 'hf-jamba', 'rms_norm_eps', 1e-6],
} as const;

/** @throws InputError for experts, other activations, and sizes that contradict each other */
export function readHybrid(input: ConfigInput, type: HybridType): ModelConfig {
  const { fields } = input;
  fields.only('hidden_act', ['silu', 'swish'], 'the activation must be silu');
  const [read, format, field, missing] = READERS[type];
  const d = fields.size('hidden_size');
  const epsilon = fields.positive(field, missing);
  const { blocks, scales } = read(fields, d, epsilon);
  return {
    format,
    d,
    ...vocabularyRows(input, fields.size('vocab_size')),
    epsilon,
    // The class of Nemotron-H never ties.
    tied: type !== 'nemotron_h' && isTied(input, 'tie_word_embeddings', false),
    ...(scales && { scales }),
    blocks,
  };
}
