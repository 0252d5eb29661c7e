import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelCases } from '@/testing/references';
import { parseConfig } from './config';
import { expandOf, type StoredShapes } from './config-common';
import { writeStatescope } from './config-statescope';
import { type JsonObject, parseJsonObject, toNumber } from './json';
import { expectedTensors } from './schema';
import { type DifferentialBlock, InputError, type ModelConfig } from './types';

const nothing: StoredShapes = new Map();
const parse = (json: Record<string, unknown>, shapes = nothing) => parseConfig(json, shapes);
const kinds = (config: ModelConfig) => config.blocks.map(({ kind }) => kind);

const parameters = (config: ModelConfig) =>
  [...expectedTensors(config).values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe('numbers that JSON does not have', () => {
  it('reads bare Infinity and NaN outside strings only', () => {
    const text = '{"a": [0.0, Infinity], "b": -Infinity, "c": "say \\"Infinity\\" NaN", "d": NaN}';
    const json = parseJsonObject(text, 'config.json');
    expect((json.a as unknown[]).map(toNumber)).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(toNumber(json.b)).toBe(Number.NEGATIVE_INFINITY);
    expect(json.c).toBe('say "Infinity" NaN');
  });

  it.each([
    ['inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['Infinity', Number.POSITIVE_INFINITY],
    [{ __float__: 'Infinity' }, Number.POSITIVE_INFINITY],
    [0.25, 0.25],
    ['', undefined],
    ['many', undefined],
    ['0x80', undefined],
    ['0b1', undefined],
    [' 1', undefined],
    [{ __float__: 'NaN' }, undefined],
    [true, undefined],
    [[1], undefined],
    ['-1.5e-3', -0.0015],
    [null, undefined],
  ])('%j is %j', (value, number) => expect(toNumber(value)).toBe(number));

  it('reads a file that begins with a byte-order mark', () => {
    expect(parseJsonObject('\uFEFF{"a": 1}', 'config.json')).toEqual({ a: 1 });
  });

  it.each(['', '{', '[1]', '"x"', 'null', '{"a": Infinit}'])('refuses %j', (text) => {
    expect(() => parseJsonObject(text, 'config.json')).toThrow(InputError);
  });
});

describe('published sizes (parameters as the authors count them)', () => {
  const mamba2 = {
    model_type: 'mamba2',
    hidden_size: 1024,
    num_hidden_layers: 48,
    num_heads: 32,
    head_dim: 64,
    n_groups: 1,
    state_size: 128,
    vocab_size: 50288,
    tie_word_embeddings: true,
    time_step_limit: [0, { __float__: 'Infinity' }],
  };
  it.each([
    ['Mamba-2 370m', mamba2, 368_346_624],
    ['the hybrid', { ...mamba2, diffmamba: true, diffmamba_settings: 'alternate' }, 375_506_688],
    ['all differential', { ...mamba2, diffmamba: true, diffmamba_settings: 'all' }, 382_666_752],
    ['Mamba 130m', { model_type: 'mamba', num_hidden_layers: 24 }, 129_135_360],
    ['official Mamba 130m', { d_model: 768, n_layer: 24, vocab_size: 50277 }, 129_135_360],
  ])('%s', (_, json, count) => expect(parameters(parse(json))).toBe(count));

  it('halves the head dimension of differential blocks and keeps the heads', () => {
    const [diff, plain] = parse({ ...mamba2, diffmamba: true, diffmamba_settings: 'alternate' }).blocks;
    expect(diff).toMatchObject({
      kind: 'diff_mamba2',
      lambda: 'sigmoid_sum',
      subln: true,
      mixer: { E: 1024, P: 32, H: 32 },
    });
    expect(plain).toMatchObject({ kind: 'mamba2', mixer: { E: 2048, P: 64, H: 32 } });
  });
});

describe('class defaults and the stored tensors', () => {
  const official2 = {
    d_model: 64,
    n_layer: 2,
    vocab_size: 90,
    ssm_cfg: { layer: 'Mamba2' },
    pad_vocab_size_multiple: 16,
  };

  it('official Mamba-2', () => {
    const config = parse(official2);
    expect(config).toMatchObject({ format: 'official-mamba2', V: 96, vocabulary: 90, tied: true, epsilon: 1e-5 });
    expect(config.blocks[1].mixer).toMatchObject({
      E: 128,
      N: 128,
      K: 4,
      P: 64,
      H: 2,
      G: 1,
      useBias: false,
      useConvBias: true,
    });
    expect(config.blocks[1].mixer.timeStepLimit).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it('Hugging Face', () => {
    const mamba2 = parse({ model_type: 'mamba2' });
    expect(mamba2).toMatchObject({ d: 4096, V: 32768, tied: true });
    expect(mamba2.blocks).toHaveLength(64);
    expect(mamba2.blocks[0].mixer).toMatchObject({ E: 8192, N: 128, K: 4, H: 128, P: 64, G: 8, useConvBias: true });
    const mamba1 = parse({ model_type: 'mamba' });
    expect(mamba1).toMatchObject({ d: 768, V: 50280, tied: true });
    expect(mamba1.blocks[31].mixer).toMatchObject({ E: 1536, N: 16, K: 4, R: 48, useConvBias: true });
  });

  it('takes the rows of the stored embedding, and refuses fewer than the vocabulary', () => {
    const stored = (rows: number) => new Map([['backbone.embeddings.weight', [rows, 64]]]);
    expect(parse(official2, stored(112))).toMatchObject({ V: 112, vocabulary: 90 });
    expect(() => parse(official2, stored(80))).toThrow(/only 80 rows/);
  });

  const mamba = { model_type: 'mamba', hidden_size: 40, num_hidden_layers: 1, vocab_size: 10 };

  it('ignores stray fields and takes R from "auto"', () => {
    const config = parse({
      ...mamba,
      d_inner: 160,
      d_model: 7,
      n_layer: 9,
      time_step_rank: 'auto',
      intermediate_size: 1,
    });
    expect(config.blocks).toHaveLength(1);
    expect(config.blocks[0].mixer).toMatchObject({ d: 40, E: 80, R: 3, N: 16 });
  });

  it('takes the width of FalconMamba from intermediate_size, and the ε of its norms from mixer_rms_eps', () => {
    const falcon = { ...mamba, model_type: 'falcon_mamba', expand: 16, use_bcdt_rms: false };
    const [block] = parse({ ...falcon, intermediate_size: 72, mixer_rms_eps: 0.01, layer_norm_epsilon: 1e-5 }).blocks;
    expect(block).toMatchObject({ kind: 'falcon_mamba', mixer: { E: 72, R: 3, epsilon: 0.01 } });
    const silent = parse(falcon);
    expect(silent).toMatchObject({ epsilon: 1e-5, blocks: [{ mixer: { E: 640, epsilon: 1e-6 } }] });
    expect(parse(writeStatescope(silent) as JsonObject)).toEqual({ ...silent, format: 'statescope' });
  });

  it('knows FalconMamba by its norms where the file says mamba', () => {
    const kindOf = (fields: JsonObject) => parse({ ...mamba, ...fields }).blocks[0].kind;
    expect(kindOf({ use_bcdt_rms: true })).toBe('falcon_mamba');
    expect(kindOf({ mixer_rms_eps: 1e-6 })).toBe('falcon_mamba');
    expect(kindOf({ use_bcdt_rms: false, mixer_rms_eps: 1e-6 })).toBe('mamba1');
    expect(kindOf({})).toBe('mamba1');
  });

  it('asks the tensors about biases and an untied head where the config is silent', () => {
    const bias = new Map([['backbone.layers.0.mixer.in_proj.bias', [160]]]);
    expect(parse(mamba, bias).blocks[0].mixer.useBias).toBe(true);
    expect(parse(mamba).blocks[0].mixer.useBias).toBe(false);
    const mamba2 = {
      model_type: 'mamba2',
      hidden_size: 32,
      head_dim: 16,
      n_groups: 1,
      num_hidden_layers: 1,
      vocab_size: 8,
    };
    expect(parse(mamba2, new Map([['lm_head.weight', [8, 32]]])).tied).toBe(false);
    expect(parse(mamba2).tied).toBe(true);
  });

  it('finds the differential blocks by their tensors where the setting is unknown', () => {
    const json = {
      model_type: 'mamba2',
      hidden_size: 32,
      head_dim: 16,
      n_groups: 1,
      num_hidden_layers: 3,
      diffmamba: true,
    };
    expect(kinds(parse(json, new Map([['backbone.layers.1.lambda_q1', [32]]])))).toEqual([
      'mamba2',
      'diff_mamba2',
      'mamba2',
    ]);
  });

  it('makes the last quarter differential, rounded down, with λ_init by the block index', () => {
    const json = { model_type: 'mamba2', hidden_size: 32, head_dim: 16, n_groups: 1, num_hidden_layers: 9 };
    const { blocks } = parse({ ...json, diffmamba: true, diffmamba_settings: 'quarter' });
    expect(blocks.map(({ kind }) => kind === 'diff_mamba2')).toEqual([...Array(7).fill(false), true, true]);
    expect((blocks[8] as DifferentialBlock).lambdaInit).toBeCloseTo(0.7455692280263525, 14);
  });
});

describe('configs that must be refused, by field', () => {
  const base = {
    model_type: 'mamba2',
    hidden_size: 32,
    head_dim: 16,
    n_groups: 1,
    num_hidden_layers: 1,
    vocab_size: 8,
  };
  const own = {
    model_type: 'statescope',
    hidden_size: 32,
    num_hidden_layers: 2,
    vocab_size: 8,
    state_size: 4,
    head_dim: 8,
  };
  it.each<[Record<string, unknown>, RegExp]>([
    [{ model_type: 'bert' }, /model_type "bert"/],
    [{}, /neither a model_type .* nor d_model and n_layer/],
    [{ ...base, hidden_size: '32x' }, /hidden_size/],
    [{ ...base, num_hidden_layers: 1.5 }, /num_hidden_layers/],
    [{ ...base, num_hidden_layers: 1e9 }, /num_hidden_layers must be a whole number from 1 to 10000/],
    [{ ...own, num_hidden_layers: 1e9, layers: 'mamba2' }, /num_hidden_layers/],
    [{ d_model: 8, n_layer: 1e9 }, /n_layer/],
    [{ ...base, hidden_act: 'gelu' }, /silu/],
    [{ ...base, num_heads: 7 }, /num_heads must be 4/],
    [{ ...base, head_dim: 24 }, /does not divide/],
    [{ ...base, n_groups: 3 }, /groups/],
    [{ ...base, expand: 0.01 }, /expand/],
    [{ ...base, expand: 1e300 }, /expand/],
    [{ ...base, time_step_limit: [1, 0] }, /time_step_limit/],
    [{ ...base, time_step_limit: ['-inf', 'inf'] }, /time_step_limit must be two numbers \[min, max\] with 0 ≤ min/],
    [{ ...base, time_step_limit: [-1, 2] }, /time_step_limit/],
    [{ ...base, time_step_limit: ['inf', 'inf'] }, /time_step_limit/],
    [{ ...base, hidden_size: '0x80' }, /hidden_size must be a whole number ≥ 1; it is "0x80"/],
    [{ ...base, hidden_size: '128 ' }, /hidden_size/],
    [{ ...base, hidden_size: true }, /hidden_size/],
    [{ ...base, layer_norm_epsilon: '0x1' }, /layer_norm_epsilon/],
    [{ ...base, use_bias: 'yes' }, /use_bias/],
    [{ ...base, head_dim: 1, diffmamba: true, diffmamba_settings: 'all' }, /even/],
    [{ d_model: 8, n_layer: 1, rms_norm: false }, /LayerNorm/],
    [{ d_model: 8, n_layer: 1, attn_layer_idx: [0] }, /attn_layer_idx/],
    [{ d_model: 8, n_layer: 1, d_intermediate: 16 }, /MLP/],
    [{ d_model: 8, n_layer: 1, ssm_cfg: { layer: 'Mamba3' } }, /Mamba1 or Mamba2/],
    [{ ...own, layers: 'mamba3' }, /layers/],
    [{ ...own, layers: ['mamba2'] }, /list of 2/],
    [{ ...own, layers: 'diff_mamba2', lambda: 'tanh' }, /lambda/],
    [{ ...own, layers: 'diff_mamba2', lambda_init: [0.1] }, /lambda_init/],
    [{ ...own, layers: 'mamba2', head_dim: undefined }, /head_dim/],
  ])('%j', (json, message) => {
    expect(() => parse(json)).toThrow(InputError);
    expect(() => parse(json)).toThrow(message);
  });
});

describe('a fraction of a channel', () => {
  it('is dropped, as the Python classes drop it, and survives saving', () => {
    const widths = [0.29, 1.01, 1.1, 1.7, 2.2].map(
      (expand) => parse({ model_type: 'mamba', hidden_size: 100, expand, vocab_size: 8 }).blocks[0].mixer.E,
    );
    expect(widths).toEqual([28, 101, 110, 170, 220]);
    for (let d = 1; d < 60; d++)
      for (let E = 1; E < 3 * d; E++) {
        const fields = { model_type: 'mamba', hidden_size: d, expand: expandOf(E, d), vocab_size: 8 };
        expect(parse(fields).blocks[0].mixer.E).toBe(E);
      }
  });
});

describe('Statescope format', () => {
  it('gives Diff-S6 the constant λ that the file names, else 1, and writes it back', () => {
    const fields = { model_type: 'statescope', hidden_size: 8, num_hidden_layers: 2, vocab_size: 8, state_size: 4 };
    const lambdas = (lambda?: unknown) => {
      const config = parse({ ...fields, layers: ['diff_s6', 'diff_mamba1'], expand: 1, lambda });
      expect(parse(JSON.parse(JSON.stringify(writeStatescope(config))))).toEqual(config);
      return config.blocks.map((block) => (block as DifferentialBlock).lambda);
    };
    expect(lambdas()).toEqual([{ constant: 1 }, 'exp']);
    expect(lambdas('sigmoid_sum')).toEqual([{ constant: 1 }, 'sigmoid_sum']);
    expect(lambdas({ constant: 0.3 })).toEqual([{ constant: 0.3 }, { constant: 0.3 }]);
    expect(lambdas([null, { constant: 1 }])).toEqual([{ constant: 1 }, { constant: 1 }]);
  });

  it('writes a hybrid of different mixers so that it reads back the same', () => {
    const hybrid = parse({
      model_type: 'mamba2',
      hidden_size: 32,
      head_dim: 16,
      n_groups: 1,
      num_hidden_layers: 4,
      vocab_size: 8,
      time_step_limit: [0.01, 'inf'],
      diffmamba: true,
      diffmamba_settings: 'alternate',
    });
    const written = JSON.parse(JSON.stringify(writeStatescope(hybrid)));
    expect(parse(written)).toEqual({ ...hybrid, format: 'statescope' });
  });

  it.each(modelCases())('$name reads back the same', ({ name, folder }) => {
    const text = readFileSync(join(folder, 'config.json'), 'utf8');
    const config = parseConfig(parseJsonObject(text, name), nothing);
    expect(parse(JSON.parse(JSON.stringify(writeStatescope(config))))).toEqual({ ...config, format: 'statescope' });
  });
});
