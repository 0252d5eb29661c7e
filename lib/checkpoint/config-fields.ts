/**
 * The fields of config.json files: every one that flash-linear-attention, mamba_ssm, mamba.py and Hugging Face of all versions
 * write is read, known to be harmless, or refused unless it says what is computed anyway. Others are refused where they could
 * change the equations.
 */

import { type JsonObject, toNumber } from './json';
import { InputError } from './types';

type HybridFamily = 'granitemoehybrid' | 'falcon_h1' | 'bamba' | 'nemotron_h' | 'jamba';
export type ConfigFamily = 'mamba' | 'falcon_mamba' | 'mamba2' | 'official' | 'ssm_cfg' | 'statescope' | HybridFamily;

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Other spellings of the fields that the readers ask for: they count where the usual spelling is missing. */
const HF_SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  hidden_size: words('d_model n_embd dim'),
  num_hidden_layers: words('n_layer n_layers num_layers'),
  state_size: words('d_state'),
  conv_kernel: words('d_conv mamba2_conv_kernel'),
  time_step_rank: words('dt_rank'),
  time_step_limit: words('dt_limit'),
  layer_norm_epsilon: words('norm_eps rms_norm_eps norm_epsilon layer_norm_eps rms_eps eps'),
  head_dim: words('headdim mamba2_head_dim'),
  n_groups: words('ngroups'),
  num_heads: words('n_heads nheads mamba2_num_heads'),
  expand: words('expand_factor'),
  use_conv_bias: words('conv_bias'),
  use_bias: words('use_mamba2_bias'),
  tie_word_embeddings: words('tie_embeddings tie_embedding_weights'),
};

const {
  time_step_limit: _limit,
  head_dim: _head,
  n_groups: _groups,
  num_heads: _heads,
  ...MAMBA1_SPELLINGS
} = HF_SPELLINGS;

const OFFICIAL_SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  d_model: words('hidden_size n_embd dim'),
  n_layer: words('n_layers num_hidden_layers num_layers'),
  tie_embeddings: words('tie_word_embeddings'),
};

/** Spellings of ε and the Δ clamp change results, so two of them must not contradict each other. */
const MUST_AGREE: ReadonlySet<string> = new Set([
  'layer_norm_epsilon',
  'time_step_limit',
  'tie_word_embeddings',
  'tie_embeddings',
]);

const HF_READ = words(
  'hidden_size num_hidden_layers vocab_size unpadded_vocab_size state_size expand conv_kernel use_bias use_conv_bias layer_norm_epsilon tie_word_embeddings hidden_act',
);

const HYBRID_READ = words(
  'hidden_size num_hidden_layers vocab_size unpadded_vocab_size tie_word_embeddings hidden_act num_attention_heads num_key_value_heads',
);

const ROPE = words('rope_theta rope_parameters rope_scaling');

/** Of Granite, Falcon-H1 and Bamba. */
const HYBRID_MAMBA2 = words(
  'mamba_n_heads mamba_n_groups mamba_d_head mamba_d_state mamba_d_conv mamba_expand mamba_conv_bias mamba_proj_bias time_step_limit rms_norm_eps attention_bias',
);

const READ: Readonly<Record<ConfigFamily, readonly string[]>> = {
  mamba: [...HF_READ, ...words('time_step_rank use_bcdt_rms mixer_rms_eps intermediate_size')],
  falcon_mamba: [...HF_READ, ...words('time_step_rank use_bcdt_rms mixer_rms_eps intermediate_size')],
  mamba2: [...HF_READ, ...words('time_step_limit head_dim n_groups num_heads diffmamba diffmamba_settings')],
  official: words(
    'd_model n_layer vocab_size unpadded_vocab_size ssm_cfg pad_vocab_size_multiple tie_embeddings rms_norm d_intermediate attn_layer_idx',
  ),
  ssm_cfg: words(
    'layer expand d_conv dt_limit bias conv_bias dt_rank d_state rmsnorm norm_before_gate D_has_hdim d_ssm headdim ngroups',
  ),
  statescope: words(
    'hidden_size num_hidden_layers vocab_size unpadded_vocab_size layers expand state_size conv_kernel time_step_rank head_dim n_groups time_step_limit use_bias use_conv_bias layer_norm_epsilon tie_word_embeddings subln lambda lambda_init mixer_rms_eps',
  ),
  granitemoehybrid: [
    ...HYBRID_READ,
    ...HYBRID_MAMBA2,
    ...ROPE,
    ...words(
      'num_local_experts normalization_function residual_multiplier shared_intermediate_size position_embedding_type attention_multiplier layer_types layers_block_type embedding_multiplier logits_scaling',
    ),
  ],
  falcon_h1: [
    ...HYBRID_READ,
    ...HYBRID_MAMBA2,
    ...ROPE,
    ...words(
      'mamba_d_ssm ssm_multipliers ssm_in_multiplier ssm_out_multiplier mamba_rms_norm mamba_norm_before_gate projectors_bias head_dim mlp_multipliers attention_in_multiplier attention_out_multiplier key_multiplier intermediate_size mlp_bias embedding_multiplier lm_head_multiplier',
    ),
  ],
  bamba: [...HYBRID_READ, ...HYBRID_MAMBA2, ...ROPE, ...words('attn_layer_indices intermediate_size mlp_bias')],
  nemotron_h: [
    ...HYBRID_READ,
    ...words(
      'mlp_hidden_act mamba_hidden_act hybrid_override_pattern layers_block_type mamba_num_heads mamba_head_dim n_groups ssm_state_size conv_kernel time_step_min use_bias use_conv_bias head_dim intermediate_size mlp_bias layer_norm_epsilon',
    ),
  ],
  jamba: [
    ...HYBRID_READ,
    ...words(
      'num_experts attn_layer_period attn_layer_offset mamba_d_state mamba_d_conv mamba_dt_rank mamba_expand mamba_conv_bias mamba_proj_bias intermediate_size rms_norm_eps',
    ),
  ],
};

/** What only some classes of transformers write, and never ask where a model has what is read here. */
const WITHOUT_EFFECT: Readonly<Partial<Record<ConfigFamily, ReadonlySet<string>>>> = {
  // Without experts only the shared MLP is left.
  granitemoehybrid: new Set(words('intermediate_size num_experts_per_tok output_router_logits router_aux_loss_coef')),
  bamba: new Set(words('partial_rotary_factor attn_rotary_emb z_loss_coefficient')),
  nemotron_h: new Set(
    words(
      'expand attention_bias mamba_proj_bias rms_norm_eps sliding_window time_step_limit mtp_layers_block_type num_nextn_predict_layers moe_intermediate_size moe_latent_size moe_shared_expert_intermediate_size moe_shared_expert_overlap n_group n_routed_experts n_shared_experts norm_topk_prob num_experts_per_tok output_router_logits routed_scaling_factor topk_group',
    ),
  ),
  jamba: new Set(
    words('num_experts_per_tok expert_layer_offset expert_layer_period output_router_logits router_aux_loss_coef'),
  ),
};

/** How weights are drawn before training, how training and generation go, how fast kernels work, and what files are called. */
const HARMLESS: ReadonlySet<string> = new Set(
  words(`
    model_type architectures auto_map transformers_version torch_dtype dtype _name_or_path name_or_path _commit_hash version license language
    tokenizer_class bos_token_id eos_token_id pad_token_id sep_token_id unk_token_id decoder_start_token_id forced_bos_token_id forced_eos_token_id
    initializer_range emb_initializer_range conv_initializer_range A_initializer_range initializer_cfg init_range rescale_prenorm_residual
    residual_in_fp32 time_step_min time_step_max time_step_floor time_step_scale time_step_init_scheme
    dt_min dt_max dt_init_floor dt_init dt_scale conv_init A_init_range base_std
    use_cache use_mambapy use_falcon_mambapy use_associative_scan chunk_size fused_add_norm fuse_norm fuse_cross_entropy fuse_linear_cross_entropy fuse_swiglu
    use_l2warp use_mem_eff_path use_fast_path use_cuda pscan process_group sequence_parallel layer_idx device use_kernels use_triton
    d_inner max_position_embeddings max_seq_len max_length min_length model_max_length seq_length sequence_length block_size n_ctx n_positions
    window_size rope_theta rope_scaling rope_parameters rope_emb_dim attention_dropout dropout hidden_dropout resid_pdrop embd_pdrop attn_pdrop
    attention_conv_kernel attention_head_dim attention_num_heads attention_num_key_value_heads use_attention_qkv_bias use_attention_out_bias
    num_attention_heads num_key_value_heads mlp_padding_size use_mlp_bias
    _attn_implementation _attn_implementation_autoset _attn_implementation_internal _flash_attn_2_enabled attn_implementation _experts_implementation
    return_dict use_return_dict output_hidden_states output_attentions output_scores return_dict_in_generate torchscript use_bfloat16 tf_legacy_loss
    chunk_size_feed_forward cross_attention_hidden_size tie_encoder_decoder is_decoder gradient_checkpointing use_gradient_checkpointing
    do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty
    no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences remove_invalid_values exponential_decay_length_penalty
    suppress_tokens begin_suppress_tokens max_new_tokens generation_config
    finetuning_task id2label label2id num_labels prefix task_specific_params problem_type classifier_dropout
    keys_to_ignore_at_inference ignore_index verbose seed learning_rate weight_decay batch_size warmup_steps
    unsloth_version unsloth_fixed pretraining_tp loss_type
    mamba_chunk_size init_method num_logits_to_keep use_mamba_kernels mamba_ssm_cache_dtype calc_logits_for_entire_prompt
  `),
);

/** Notes of programs and people, whatever they are called in full: how a model was trained, when, by whom, and how fast it is. */
const NOTE = new RegExp(
  [
    '^_|_token_ids?$|(?:^|_)(?:dropout|path|name|dir|seed|steps|epochs?|lr|url|hash|date|timestamp|author|revision|tags|flops|params|parameters)$',
    '(?:^|_)(?:train|training|eval|evaluation|validation|optim|optimi[sz]er|adamw?|learning|warmup|grad|gradient|dataset|datasets|wandb|logging|checkpointing|deepspeed|fsdp|metadata|scheduler|tokenizer)(?:_|$)',
    '^(?:batch_size|.*_batch_size|weight_decay|trust_remote_code|low_cpu_mem_usage|created_at|fused?_.*|(?:use_)?(?:bf16|fp16|amp|tf32))$',
    '^(?:use_)?(?:flash|triton|cuda|compile|kernel)(?:_|$)',
    '^(?!(?:mamba|ssm|mixer|layer|block)_).*_version$',
  ].join('|'),
);

/** Texts under such names choose between equations; other texts are remarks. */
const CHOICE =
  /(?:^|_)(?:act|activation|activations|norm|normali[sz]ation|scan|mode|kind|type|variant|method|mixer|layer|block|positional|embedding|direction)(?:_|$)/;

/** Texts that choose what is computed anyway. */
const USUAL_CHOICE = /^(?:none|null|default|silu|swish|rms_?norm)$/i;

interface Neutral {
  /** Values that say what is computed anyway. */
  readonly values: readonly unknown[];
  /** What another value would mean, after "is not supported: ". */
  readonly meaning: string;
}

const one = (meaning: string): Neutral => ({ values: [1], meaning });
const none = (meaning: string): Neutral => ({ values: [0, false], meaning });

/** Fields that change the equations, with the values that do not. */
const NEUTRAL: Readonly<Record<string, Neutral>> = {
  rms_norm: { values: [true], meaning: 'models with LayerNorm' },
  rmsnorm: { values: [true], meaning: 'the gated norm is part of the mixer' },
  mamba_use_mlp: { values: [true], meaning: 'every block has an MLP' },
  D_has_hdim: { values: [false], meaning: 'D has one value per head' },
  is_encoder_decoder: none('there is no encoder'),
  add_cross_attention: none('there is no encoder'),
  attn: none('attention blocks'),
  attn_cfg: none('attention blocks'),
  attn_layer_idx: none('attention blocks'),
  attention_layers_idx: none('attention blocks'),
  attn_layers: none('attention blocks'),
  layers_block_type: none('blocks of several types'),
  block_types: none('blocks of several types'),
  hybrid_override_pattern: none('blocks of several types'),
  d_intermediate: none('blocks with an MLP'),
  mlp_intermediate_size: none('blocks with an MLP'),
  moe_cfg: none('experts'),
  num_experts: { values: [0, 1], meaning: 'experts' },
  num_local_experts: { values: [0, 1], meaning: 'experts' },
  inner_layernorms: none('norms of δ, B and C: call the model falcon_mamba if they have no weights'),
  mup: none('μP scales the activations'),
  pruned_heads: none('heads that were removed'),
  quantization_config: none('quantised weights: save the model with plain weights'),
  embedding_multiplier: one('a scaled embedding'),
  residual_multiplier: one('scaled blocks'),
  attention_multiplier: one('scaled attention'),
  logits_scaling: one('scaled logits'),
  logit_scale: one('scaled logits'),
  lm_head_multiplier: one('scaled logits'),
  logit_softcapping: none('capped logits'),
  final_logit_softcapping: none('capped logits'),
  activation: { values: ['silu', 'swish'], meaning: 'the activation must be silu' },
  bidirectional: none('a scan in both directions'),
  norm_bias: none('norms with a bias'),
  lm_head_bias: none('a head with a bias'),
};

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value as object).length === 0);

const same = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((value, i) => same(value, b[i]))
    : a === b || (toNumber(a) !== undefined && toNumber(a) === toNumber(b));

/**
 * The config with every field under its usual name. What is written under two names must be the same where it changes results;
 * of sizes, which old files leave behind wrong, the usual name counts.
 * @param warn told of names that are read as others
 * @throws InputError for contradictions
 */
function usualNames(
  json: JsonObject,
  spellings: Readonly<Record<string, readonly string[]>>,
  label: string,
  warn: (text: string) => void,
): JsonObject {
  const usual: Record<string, unknown> = { ...json };
  for (const [field, others] of Object.entries(spellings)) {
    for (const other of others) {
      if (json[other] === undefined || json[other] === null) continue;
      const known = usual[field] ?? undefined;
      if (known === undefined) {
        usual[field] = json[other];
        warn(`${label}: ${other} ${JSON.stringify(json[other])} is read as ${field}.`);
      }
      if (known !== undefined && MUST_AGREE.has(field) && !same(known, json[other])) {
        const values = `${field} ${JSON.stringify(known)} and ${other} ${JSON.stringify(json[other])}`;
        throw new InputError(`${label}: ${values} contradict each other; remove the one that is wrong.`);
      }
    }
  }
  return usual;
}

const SPELLINGS: Readonly<Record<ConfigFamily, Readonly<Record<string, readonly string[]>>>> = {
  mamba: MAMBA1_SPELLINGS,
  falcon_mamba: MAMBA1_SPELLINGS,
  mamba2: HF_SPELLINGS,
  official: OFFICIAL_SPELLINGS,
  ssm_cfg: {},
  statescope: {},
  granitemoehybrid: {},
  falcon_h1: {},
  bamba: {},
  nemotron_h: {},
  jamba: {},
};

/** Fields of flash-linear-attention alone; the classes of transformers know none of them. */
const isFla = (json: JsonObject): boolean =>
  ['norm_eps', 'rmsnorm', 'dt_limit', 'fuse_norm'].some((field) => field in json);

/**
 * Checks every field of a config and gives it its usual names.
 * @param warn told what is passed over
 * @throws InputError for fields that change the equations in a way that is not computed, and for unknown ones
 */
export function checkedFields(
  json: JsonObject,
  family: ConfigFamily,
  label: string,
  warn: (text: string) => void,
): JsonObject {
  const spellings = SPELLINGS[family];
  const known = new Set([
    ...READ[family],
    ...Object.entries(spellings).flatMap(([field, others]) => [field, ...others]),
  ]);
  for (const [field, value] of Object.entries(json)) {
    if (known.has(field) || HARMLESS.has(field) || NOTE.test(field) || isNothing(value)) continue;
    if (WITHOUT_EFFECT[family]?.has(field)) continue;
    const neutral = Object.hasOwn(NEUTRAL, field) ? NEUTRAL[field] : ownRule(json, family, field, label, warn);
    if (neutral === 'harmless' || neutral?.values.some((allowed) => same(allowed, value))) continue;
    const shown = `${field} ${JSON.stringify(value)}`;
    if (neutral) throw new InputError(`${label}: ${shown} is not supported: ${neutral.meaning}.`);
    if (value === false) continue;
    if (typeof value === 'string' && (!CHOICE.test(field) || USUAL_CHOICE.test(value)))
      warn(`${label}: the field ${shown} is not known and was not read.`);
    else {
      throw new InputError(
        `${label}: the field ${shown} is not known, and may change what the model computes; remove it from the file if it does not.`,
      );
    }
  }
  return usualNames(json, spellings, label, warn);
}

/** Fields of which the family decides. */
function ownRule(
  json: JsonObject,
  family: ConfigFamily,
  field: string,
  label: string,
  warn: (text: string) => void,
): Neutral | 'harmless' | undefined {
  switch (field) {
    case 'norm_before_gate':
      // The class of transformers writes the field and never asks it; its gate always comes before the norm.
      return isFla(json) ? { values: [false], meaning: 'the gate comes before the norm' } : 'harmless';
    case 'time_step_limit':
    case 'dt_limit':
      if (family === 'mamba' || family === 'falcon_mamba')
        return toldOf(`${label}: ${field} was not read: no Mamba-1 clamps its time step.`, warn);
      return undefined;
    case 'intermediate_size':
    case 'mamba2_intermediate_size':
    case 'd_inner':
    case 'ssm_cfg':
    case 'pad_vocab_size_multiple':
    case 'time_step_rank':
    case 'head_dim':
    case 'n_groups':
    case 'num_heads':
      // Left behind from the other format or the other family, in which alone it means something.
      return 'harmless';
    default:
      return undefined;
  }
}

function toldOf(text: string, warn: (text: string) => void): 'harmless' {
  warn(text);
  return 'harmless';
}
