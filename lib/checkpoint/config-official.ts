/** Official state-spaces configs: sizes from `ssm_cfg` or the mamba_ssm class defaults (equations B2, B4). */

import {
  blockCount,
  type ConfigInput,
  headCount,
  innerWidth,
  isTied,
  timeStepRank,
  vocabularyRows,
} from './config-common';
import { checkedFields } from './config-fields';
import { Fields, type JsonObject } from './json';
import { blockPrefix } from './names';
import type { MixerConfig, ModelConfig } from './types';

/** ε of every norm in mamba_ssm; it is not a field of the config. */
const EPSILON = 1e-5;

function mixerOf(ssm: Fields, layer: 'Mamba1' | 'Mamba2', d: number): MixerConfig {
  const common = {
    d,
    E: innerWidth(ssm, ssm.positive('expand', 2), d),
    K: ssm.size('d_conv', 4),
    timeStepLimit: ssm.range('dt_limit'),
    useBias: ssm.flag('bias', false),
    useConvBias: ssm.flag('conv_bias', true),
    epsilon: EPSILON,
  };
  if (layer === 'Mamba1') {
    const R = timeStepRank(ssm, 'dt_rank', d);
    return { ...common, N: ssm.size('d_state', 16), R, H: 0, P: 0, G: 0, timeStepLimit: [0, Number.POSITIVE_INFINITY] };
  }
  ssm.only('rmsnorm', [true], 'the gated norm is part of the mixer');
  ssm.only('norm_before_gate', [false], 'the gate comes before the norm');
  ssm.only('D_has_hdim', [false], 'D has one value per head');
  ssm.only('d_ssm', [common.E], 'an MLP inside the mixer');
  const P = ssm.size('headdim', 64);
  const G = ssm.size('ngroups', 1);
  return { ...common, N: ssm.size('d_state', 128), R: 0, H: headCount(ssm, common.E, P, G), P, G };
}

/** Mamba1 where nothing is said, as in mamba_ssm, unless weights that only Mamba2 has are stored. */
function layerOf(ssm: Fields, shapes: ConfigInput['shapes'], warn: (text: string) => void): 'Mamba1' | 'Mamba2' {
  ssm.only('layer', ['Mamba1', 'Mamba2'], 'the layer must be Mamba1 or Mamba2');
  const said = ssm.text('layer');
  const isStored = said === undefined && shapes.has(`${blockPrefix(0)}mixer.dt_bias`);
  if (isStored) warn(`${ssm.label}: the layer is not named; the weights are those of Mamba2, which is taken.`);
  return said === 'Mamba2' || isStored ? 'Mamba2' : 'Mamba1';
}

/** @throws InputError for hybrids with attention or MLP blocks and for LayerNorm models */
export function readOfficial(input: ConfigInput, warn: (text: string) => void = () => undefined): ModelConfig {
  const { fields } = input;
  fields.only('rms_norm', [true], 'models with LayerNorm');
  fields.only('d_intermediate', [0], 'blocks with an MLP');
  const attention = fields.raw('attn_layer_idx');
  if (Array.isArray(attention) && attention.length > 0) {
    throw fields.fail('attn_layer_idx', 'empty, since attention blocks are not supported');
  }
  const ssmValues = fields.raw('ssm_cfg') ?? {};
  if (typeof ssmValues !== 'object') throw fields.fail('ssm_cfg', 'an object');
  const label = `${fields.label} (ssm_cfg)`;
  const ssm = new Fields(checkedFields(ssmValues as JsonObject, 'ssm_cfg', label, warn), label);
  const layer = layerOf(ssm, input.shapes, warn);
  const d = fields.size('d_model');
  const mixer = mixerOf(ssm, layer, d);
  const multiple = fields.size('pad_vocab_size_multiple', 8);
  const vocabulary = fields.size('vocab_size', 50277);
  const padded = Math.ceil(vocabulary / multiple) * multiple;
  const kind = layer === 'Mamba1' ? 'mamba1' : 'mamba2';
  return {
    format: layer === 'Mamba1' ? 'official-mamba' : 'official-mamba2',
    d,
    ...vocabularyRows(input, padded, vocabulary),
    epsilon: EPSILON,
    tied: isTied(input, 'tie_embeddings', true),
    blocks: Array.from({ length: blockCount(fields, 'n_layer') }, () => ({ kind, mixer })),
  };
}
