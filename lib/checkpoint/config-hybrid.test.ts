import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hybridCases } from '@/lib/models/testing/hybrids';
import { parseConfig } from './config';
import { type JsonObject, parseJsonObject } from './json';
import { loadCheckpoint } from './load';
import { saveCheckpoint } from './save';
import { type HybridBlock, InputError, type ModelConfig } from './types';

const folderOf = (name: string) => hybridCases().find((each) => each.name === name)?.folder as string;

async function configOf(name: string): Promise<JsonObject> {
  return parseJsonObject(await readFile(join(folderOf(name), 'config.json'), 'utf8'), 'config.json');
}

const parse = (json: JsonObject): ModelConfig => parseConfig(json, new Map());
const first = ({ blocks }: ModelConfig) => blocks[0] as HybridBlock;

const GRANITE = 'granite-nope';

describe('configs of models with attention', () => {
  it.each([
    ['granite-nope', ['granite_mamba2', 'granite_mamba2', 'granite_attention', 'granite_mamba2', 'granite_attention']],
    ['granite-rope', ['granite_attention', 'granite_mamba2', 'granite_mamba2', 'granite_attention']],
    ['falcon-h1', ['falcon_h1', 'falcon_h1', 'falcon_h1']],
    ['bamba', ['bamba_mamba2', 'bamba_attention', 'bamba_mamba2', 'bamba_attention']],
    ['jamba', ['jamba_mamba1', 'jamba_attention', 'jamba_mamba1', 'jamba_mamba1', 'jamba_attention']],
  ])('%s says what its blocks are', async (name, kinds) => {
    expect(parse(await configOf(name)).blocks.map(({ kind }) => kind)).toEqual(kinds);
  });

  it('read both spellings of layers, rope and infinity to the same', async () => {
    const published = await configOf(GRANITE);
    const { rope_theta, rope_scaling: _, torch_dtype: __, ...rest } = published;
    const names: Record<string, string> = { mamba: 'linear_attention', attention: 'full_attention' };
    const saved = {
      ...rest,
      dtype: 'float32',
      layer_types: (published.layer_types as string[]).map((layer) => names[layer]),
      rope_parameters: { rope_theta, rope_type: 'default' },
      time_step_limit: [0, { __float__: 'Infinity' }],
    };
    for (const position_embedding_type of ['nope', 'rope'])
      expect(parse({ ...saved, position_embedding_type })).toEqual(parse({ ...published, position_embedding_type }));
  });

  it('turn half of each head in Bamba unless rope_parameters say otherwise', async () => {
    const json = await configOf('bamba');
    const widthOf = (more: JsonObject) => (parse({ ...json, ...more }).blocks[1] as HybridBlock).attention?.rope?.width;
    expect(widthOf({})).toBe(4);
    expect(widthOf({ partial_rotary_factor: 1 })).toBe(4);
    expect(widthOf({ rope_parameters: { rope_theta: 10000, rope_type: 'default', partial_rotary_factor: 1 } })).toBe(8);
  });

  it('clamp Δ of Nemotron-H from below, whatever time_step_limit says', async () => {
    const json = await configOf('nemotron-h');
    const limit = { ...json, time_step_limit: [0.5, 1] };
    expect(parse(limit).blocks[0].mixer.timeStepLimit).toEqual([0.001, Number.POSITIVE_INFINITY]);
    expect(parse({ ...json, time_step_min: 0.02 }).blocks[0].mixer.timeStepLimit[0]).toBe(0.02);
  });

  it('take Granite’s attention_multiplier for 1 where it is missing', async () => {
    const { attention_multiplier: _, ...json } = await configOf(GRANITE);
    expect((parse(json).blocks[2] as HybridBlock).attention?.scale).toBe(1);
  });

  it('tell whether and where Falcon-H1 has a norm', async () => {
    const json = await configOf('falcon-h1-norm');
    const normOf = (more: JsonObject) => first(parse({ ...json, ...more })).mixer.variant?.norm;
    expect(normOf({})).toBe('before_gate');
    expect(normOf({ mamba_norm_before_gate: false })).toBe('after_gate');
    expect(normOf({ mamba_rms_norm: false })).toBe('none');
  });

  it.each<[string, JsonObject, RegExp]>([
    [GRANITE, { num_local_experts: 8 }, /num_local_experts 8 is a mixture of experts/],
    [GRANITE, { layer_types: ['mamba'] }, /layer_types must be a list of num_hidden_layers \(5\)/],
    [GRANITE, { hidden_act: 'gelu' }, /the activation must be silu/],
    [GRANITE, { mamba_d_head: 9 }, /mamba_d_head must be 8/],
    [GRANITE, { new_gate: 3 }, /field new_gate 3 is not known/],
    ['granite-rope', { rope_parameters: { rope_theta: 5, rope_type: 'yarn' } }, /rope with scaled frequencies/],
    ['falcon-h1', { rope_scaling: { type: 'linear', factor: 2 } }, /rope with scaled frequencies/],
    ['falcon-h1', { ssm_multipliers: [1, 2] }, /ssm_multipliers must be a list of 5 numbers/],
    ['falcon-h1', { num_key_value_heads: 3 }, /num_key_value_heads must be a number that divides/],
    ['bamba', { attn_layer_indices: [9] }, /attn_layer_indices must be a list of layers from 0 to 3/],
    ['nemotron-h', { hybrid_override_pattern: 'M*E-M-*M' }, /experts are not read/],
    ['nemotron-h', { mlp_hidden_act: 'silu' }, /must be relu2/],
    ['jamba', { num_experts: 16 }, /num_experts 16 is a mixture of experts/],
  ])('%s with %j is refused', async (name, more, sentence) => {
    const json = { ...(await configOf(name)), ...more };
    expect(() => parse(json)).toThrow(InputError);
    expect(() => parse(json)).toThrow(sentence);
  });

  it('name what Zamba2 has that is not computed', () => {
    expect(() => parse({ model_type: 'zamba2' })).toThrow(/"zamba2" is not supported \(its blocks share transformers/);
  });

  it('are not written', async () => {
    const { config, tensors } = await loadCheckpoint(folderOf(GRANITE));
    const folder = mkdtempSync(join(tmpdir(), 'hybrid-'));
    await expect(saveCheckpoint(folder, config, tensors)).rejects.toThrow(
      /granite_mamba2 blocks are read and not written/,
    );
    rmSync(folder, { recursive: true });
  });
});
