/**
 * Hugging Face configs: `mamba`, `falcon_mamba`, `mamba2`, and the authors' `mamba2` with `diffmamba` (equations A1b,
 * B1, B3, B5).
 */

import { ARCHITECTURES } from '@/lib/architectures';
import {
  blockCount,
  type ConfigInput,
  defaultLambdaInit,
  hasProjectionBias,
  headCount,
  innerWidth,
  isTied,
  timeStepRank,
  vocabularyRows,
} from './config-common';
import { blockPrefix } from './names';
import { type BlockConfig, InputError, type MixerConfig, type ModelConfig } from './types';

/** Some FalconMamba checkpoints call themselves `mamba` and are told by the settings of their norms. */
function isFalcon({ fields }: ConfigInput, type: 'mamba' | 'falcon_mamba'): boolean {
  return type === 'falcon_mamba' || fields.flag('use_bcdt_rms', fields.raw('mixer_rms_eps') !== undefined);
}

/** Whether `intermediate_size` is the width of the weights: files of `mamba` also carry one that was left behind wrong. */
const isStoredWidth = ({ fields, shapes }: ConfigInput): boolean =>
  fields.raw('intermediate_size') === shapes.get(`${blockPrefix(0)}mixer.out_proj.weight`)?.[1];

/** `mamba`, and FalconMamba, whose `intermediate_size` counts and whose norms of δ, B and C are always on. */
function readMamba1(input: ConfigInput, type: 'mamba' | 'falcon_mamba'): ModelConfig {
  const { fields } = input;
  const d = fields.size('hidden_size', 768);
  const epsilon = fields.positive('layer_norm_epsilon', 1e-5);
  const falcon = isFalcon(input, type);
  const expanded = () => innerWidth(fields, fields.positive('expand', 2), d);
  const mixer: MixerConfig = {
    d,
    E:
      fields.raw('intermediate_size') !== undefined && (falcon || isStoredWidth(input))
        ? fields.size('intermediate_size')
        : expanded(),
    N: fields.size('state_size', 16),
    K: fields.size('conv_kernel', 4),
    R: timeStepRank(fields, 'time_step_rank', d),
    H: 0,
    P: 0,
    G: 0,
    timeStepLimit: [0, Number.POSITIVE_INFINITY],
    useBias: hasProjectionBias(input, 'use_bias'),
    useConvBias: fields.flag('use_conv_bias', true),
    epsilon: falcon ? fields.positive('mixer_rms_eps', ARCHITECTURES.falcon_mamba.ownEpsilon as number) : epsilon,
  };
  const kind = falcon ? 'falcon_mamba' : 'mamba1';
  return {
    format: falcon ? 'hf-falcon-mamba' : 'hf-mamba',
    d,
    ...vocabularyRows(input, fields.size('vocab_size', 50280)),
    epsilon,
    tied: isTied(input, 'tie_word_embeddings', true),
    blocks: Array.from({ length: blockCount(fields, 'num_hidden_layers', 32) }, () => ({ kind, mixer })),
  };
}

/** Which of n blocks are differential. Settings that are not known leave it to the stored tensors. */
function diffBlocks({ fields, shapes }: ConfigInput, n: number): boolean[] {
  const setting = fields.raw('diffmamba_settings');
  return Array.from({ length: n }, (_, i) => {
    if (setting === 'all') return true;
    if (setting === 'quarter') return i >= n - Math.floor(n / 4);
    if (setting === 'alternate') return i % 2 === 0;
    return shapes.has(`${blockPrefix(i)}lambda_q1`);
  });
}

function readMamba2(input: ConfigInput): ModelConfig {
  const { fields } = input;
  const d = fields.size('hidden_size', 4096);
  const epsilon = fields.positive('layer_norm_epsilon', 1e-5);
  const G = fields.size('n_groups', 8);
  const E = innerWidth(fields, fields.positive('expand', 2), d);
  const P = fields.size('head_dim', 64);
  const H = headCount(fields, E, P, G);
  if (fields.size('num_heads', H) !== H) {
    throw fields.fail('num_heads', `${H} (expand × hidden_size / head_dim)`);
  }
  const plain: MixerConfig = {
    d,
    E,
    N: fields.size('state_size', 128),
    K: fields.size('conv_kernel', 4),
    R: 0,
    H,
    P,
    G,
    timeStepLimit: fields.range('time_step_limit'),
    useBias: hasProjectionBias(input, 'use_bias'),
    useConvBias: fields.flag('use_conv_bias', true),
    epsilon,
  };
  const n = blockCount(fields, 'num_hidden_layers', 64);
  const diff = fields.flag('diffmamba', false) ? diffBlocks(input, n) : Array<boolean>(n).fill(false);
  if (diff.includes(true) && P % 2 !== 0) {
    throw new InputError(`${fields.label}: head_dim ${P} must be even, since differential blocks halve it.`);
  }
  // The authors' Diff block: two mixers of expand 1 and half the head dimension (equations A4).
  const half = (): MixerConfig => ({ ...plain, E: d, P: P / 2, H: headCount(fields, d, P / 2, G) });
  const blocks = diff.map((isDiff, i): BlockConfig => {
    if (!isDiff) return { kind: 'mamba2', mixer: plain };
    const lambdaInit = defaultLambdaInit(i);
    return { kind: 'diff_mamba2', mixer: half(), lambda: 'sigmoid_sum', lambdaInit, subln: true };
  });
  return {
    format: fields.flag('diffmamba', false) ? 'hf-diffmamba2' : 'hf-mamba2',
    d,
    ...vocabularyRows(input, fields.size('vocab_size', 32768)),
    epsilon,
    tied: isTied(input, 'tie_word_embeddings', false),
    blocks,
  };
}

/** @throws InputError for unsupported activations or sizes that contradict each other */
export function readHf(input: ConfigInput, type: 'mamba' | 'falcon_mamba' | 'mamba2'): ModelConfig {
  input.fields.only('hidden_act', ['silu', 'swish'], 'the activation must be silu');
  return type === 'mamba2' ? readMamba2(input) : readMamba1(input, type);
}
