import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors, type OutputTensor } from '@/lib/safetensors';
import { parseConfig } from './config';
import { loadCheckpoint } from './load';
import { EMBEDDING, HEAD } from './names';
import { describeModel } from './registry';
import { expectedTensors } from './schema';
import { dict, op, pickled, state, torchZip } from './torch-zip.fixture';
import { InputError } from './types';

const CONFIG = { model_type: 'mamba', hidden_size: 8, num_hidden_layers: 2, vocab_size: 5, state_size: 2 };

type Named = readonly [name: string, shape: readonly number[], data: Float32Array];

/** Weights of the tiny model, every number another. */
function weights(config: object = CONFIG): Named[] {
  let next = 0;
  return [...expectedTensors(parseConfig({ ...config }, new Map()))].map(([name, shape]) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next++ / 64 - 1);
    return [name, shape, data];
  });
}

const renamed = (named: readonly Named[], rename: (name: string) => string): Named[] =>
  named.map(([name, shape, data]) => [rename(name), shape, data]);

const safetensors = (named: readonly Named[]): Uint8Array =>
  encodeSafetensors(named.map(([name, shape, data]): OutputTensor => ({ name, shape, data })));

/** A torch file whose pickle `of` makes from the opcodes of state dicts; two dicts of one name share their storages. */
function torch(named: readonly Named[], of: (opcodes: (part: readonly Named[]) => number[]) => number[]): Uint8Array {
  const keys = new Map(named.map(([name], i) => [name, String(i)]));
  const opcodes = (part: readonly Named[]) =>
    state(
      part.map(([name, shape, data]) => ({
        name,
        storage: keys.get(name) as string,
        elements: data.length,
        shape,
        strides: shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1)),
      })),
    );
  const storages = Object.fromEntries(named.map(([, , data], i) => [String(i), new Uint8Array(data.buffer)]));
  return torchZip(pickled(of(opcodes)), storages);
}

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'statescope-spellings-'));
});
afterAll(() => rm(root, { recursive: true }));

async function folderOf(content: Uint8Array, config: object = CONFIG): Promise<string> {
  const folder = join(root, `model-${count++}`);
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  // A torch file is a zip file.
  const name = content[0] === 0x50 && content[1] === 0x4b ? 'pytorch_model.bin' : 'model.safetensors';
  await writeFile(join(folder, name), content);
  return folder;
}

async function refusal(folder: string): Promise<string> {
  const failure = await loadCheckpoint(folder).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(InputError);
  return (failure as InputError).message;
}

const values = (named: Iterable<readonly [string, { readonly data: Float32Array }]>) =>
  new Map([...named].map(([name, { data }]) => [name, data]));
const right = (named: readonly Named[] = weights()) => new Map(named.map(([name, , data]) => [name, data]));

describe('names of tensors', () => {
  const inBackbone = (prefix: string) => (name: string) => name.replace(/^backbone\./, prefix);
  it.each<[string, (name: string) => string]>([
    ['model.', inBackbone('model.')],
    ['no prefix', inBackbone('')],
    ['embedding without its s', (name) => inBackbone('')(name).replace('embeddings', 'embedding')],
    ['DDP', (name) => `module.${name}`],
    ['torch.compile', (name) => `_orig_mod.${name}`],
    ['torch.compile of every block', (name) => name.replace(/(layers\.\d+\.)/, '$1_orig_mod.')],
    ['DDP around torch.compile', (name) => `module._orig_mod.${name}`],
    [
      'activation checkpointing in FSDP',
      (name) => `_fsdp_wrapped_module.${name.replace('mixer.', 'mixer._checkpoint_wrapped_module.')}`,
    ],
    ['peft', (name) => `base_model.model.${name}`],
    ['Lightning around a module called net', (name) => `net.model.${name}`],
  ])('%s', async (_, rename) => {
    const loaded = await loadCheckpoint(await folderOf(safetensors(renamed(weights(), rename))));
    expect(values(loaded.tensors)).toEqual(right());
    expect(loaded.warnings).toBeUndefined();
    expect([...loaded.tensors.values()].map(({ sourceName }) => sourceName)).toContain(rename(EMBEDDING));
  });

  it('take the head from beside the model or from outside of it', async () => {
    const config = { ...CONFIG, tie_word_embeddings: false };
    for (const head of ['model.lm_head.weight', 'lm_head.weight']) {
      const named = renamed(weights(config), (name) => (name === HEAD ? head : `model.${name}`));
      expect(values((await loadCheckpoint(await folderOf(safetensors(named), config))).tensors)).toEqual(
        right(weights(config)),
      );
    }
  });

  it('of two models are refused, of what stands beside the model told', async () => {
    const twice = [...weights(), ...renamed(weights(), (name) => `ema.${name}`)];
    expect(await refusal(await folderOf(safetensors(twice)))).toMatch(
      /more than one model \("backbone\." and "ema\.backbone\."\)/,
    );
    const loss: Named = ['criterion.weight', [3], new Float32Array(3)];
    const named = [...renamed(weights(), (name) => `model.${name}`), loss];
    const loaded = await loadCheckpoint(await folderOf(safetensors(named)));
    expect(values(loaded.tensors)).toEqual(right());
    expect(loaded.warnings).toEqual([expect.stringMatching(/not used: criterion\.weight\.$/)]);
  });

  it('that are one are read once where they hold the same, and refused where they do not', async () => {
    const [name, shape, data] = weights()[0];
    const other: Named = [name.replace('embeddings', 'embedding'), shape, data.slice()];
    expect(values((await loadCheckpoint(await folderOf(safetensors([...weights(), other])))).tensors)).toEqual(right());
    other[2][3] += 1;
    expect(await refusal(await folderOf(safetensors([...weights(), other])))).toMatch(/two different tensors/);
  });

  it('of adapters that are not merged say how to merge them', async () => {
    const named = renamed(weights(), (name) => name.replace('in_proj.', 'in_proj.base_layer.'));
    const lora: Named = ['backbone.layers.0.mixer.in_proj.lora_A.default.weight', [1, 8], new Float32Array(8)];
    expect(await refusal(await folderOf(safetensors([...named, lora])))).toMatch(/merge_and_unload/);
  });
});

describe('training checkpoints', () => {
  const namespace = [
    ...op.global('argparse', 'Namespace'),
    ...op.emptyTuple,
    0x81,
    ...dict([['lr', op.int(1)]]),
    ...op.build,
  ];
  const modes = (...names: string[]) => names;
  it.each(modes('model', 'state_dict', 'model_state_dict', 'module', 'anything'))(
    'with the weights in %s',
    async (name) => {
      const file = torch(weights(), (opcodes) =>
        dict([
          ['optimizer', dict([['state', dict([])]])],
          ['epoch', op.int(3)],
          ['args', namespace],
          [name, opcodes(weights())],
        ]),
      );
      expect(values((await loadCheckpoint(await folderOf(file))).tensors)).toEqual(right());
    },
  );

  it('of Lightning, with the name of the module', async () => {
    const named = renamed(weights(), (name) => `model.${name}`);
    const loop = [...op.global('lightning.pytorch.callbacks', 'ModelCheckpoint'), ...op.emptyTuple, ...op.reduce];
    const file = torch(named, (opcodes) =>
      dict([
        ['state_dict', opcodes(named)],
        ['callbacks', loop],
      ]),
    );
    expect(values((await loadCheckpoint(await folderOf(file))).tensors)).toEqual(right());
  });

  it('with the weights several dicts deep, and those of a name that is known first', async () => {
    const deep = torch(weights(), (opcodes) =>
      dict([['checkpoint', dict([['trainer', dict([['anything', opcodes(weights())]])]])]]),
    );
    expect(values((await loadCheckpoint(await folderOf(deep))).tensors)).toEqual(right());
    const two = torch(weights(), (opcodes) =>
      dict([
        ['ema', dict([['shadow', opcodes(weights())]])],
        ['run', dict([['model', opcodes(weights())]])],
      ]),
    );
    const { tensors, warnings } = await loadCheckpoint(await folderOf(two));
    expect(values(tensors)).toEqual(right());
    expect(warnings).toEqual([expect.stringMatching(/not used: all of ema\.shadow\.$/)]);
    const rivals = torch(weights(), (opcodes) =>
      dict([
        ['a', dict([['model', opcodes(weights())]])],
        ['b', dict([['model', opcodes(weights())]])],
      ]),
    );
    expect(await refusal(await folderOf(rivals))).toMatch(/several sets of weights \(a\.model, b\.model\)/);
  });

  it('with counters among the weights leave these out, and say so', async () => {
    const counter: OutputTensor = { name: 'backbone.steps_seen', shape: [1], data: new Int32Array(1) };
    const file = encodeSafetensors([...weights().map(([name, shape, data]) => ({ name, shape, data })), counter]);
    const { tensors, warnings } = await loadCheckpoint(await folderOf(file));
    expect(values(tensors)).toEqual(right());
    expect(warnings).toEqual([expect.stringMatching(/not used: backbone\.steps_seen\.$/)]);
  });

  it.each(['qweight', 'weight_packed', 'W_q', 'weight.absmax'])(
    'with quantised weights (%s) say how to save plain ones',
    async (end) => {
      const packed = weights().filter(([name]) => !name.endsWith('0.mixer.in_proj.weight'));
      const odd: Named = [`backbone.layers.0.mixer.in_proj.${end}`, [2], new Float32Array(2)];
      expect(await refusal(await folderOf(safetensors([...packed, odd])))).toMatch(/quantised weights.*dequantise/);
    },
  );

  it('say which of several sets of weights is used, and refuse to choose among unknown ones', async () => {
    const two = (a: string, b: string) =>
      torch(weights(), (opcodes) =>
        dict([
          [a, opcodes(weights())],
          [b, opcodes(weights())],
        ]),
      );
    expect((await loadCheckpoint(await folderOf(two('ema', 'model')))).warnings).toEqual([
      expect.stringMatching(/not used: all of ema\.$/),
    ]);
    expect(await refusal(await folderOf(two('ema', 'teacher')))).toMatch(/several sets of weights \(ema, teacher\)/);
  });
});

describe('a tied head', () => {
  const [[, shape, embedding]] = weights();
  const withHead = (data: Float32Array): Named[] => [...weights(), [HEAD, shape, data]];

  it('stands for the embedding where that is not stored', async () => {
    const named = renamed(weights(), (name) => (name === EMBEDDING ? HEAD : name));
    const { config, tensors } = await loadCheckpoint(await folderOf(safetensors(named)));
    expect(config).toMatchObject({ tied: true, V: 5 });
    expect(values(tensors)).toEqual(right());
  });

  it('that is the embedding is dropped without a word', async () => {
    const { config, warnings } = await loadCheckpoint(await folderOf(safetensors(withHead(embedding.slice()))));
    expect(config.tied).toBe(true);
    expect(warnings).toBeUndefined();
  });

  it.each([0, 17, 39])('that differs, be it in element %i alone, is used, and told', async (i) => {
    const head = embedding.slice();
    head[i] += 0.5;
    const folder = await folderOf(safetensors(withHead(head)));
    const { config, tensors, warnings, parameterCount } = await loadCheckpoint(folder);
    expect(config.tied).toBe(false);
    expect(tensors.get(HEAD)?.data).toEqual(head);
    expect(warnings).toEqual([expect.stringMatching(/holds another lm_head\.weight; that head is used/)]);
    expect(await describeModel({ name: 'm', path: folder })).toMatchObject({
      tied: false,
      parameters: parameterCount,
      warnings,
    });
  });

  it('that differs outside of what is looked at before loading is found when it is loaded', async () => {
    const wide = { ...CONFIG, hidden_size: 64, vocab_size: 500 };
    const [[, size, table], ...rest] = weights(wide);
    const head = table.slice();
    head[6000] += 0.5;
    const folder = await folderOf(safetensors([[EMBEDDING, size, table], ...rest, [HEAD, size, head]]), wide);
    const { config, tensors, warnings } = await loadCheckpoint(folder);
    expect([config.tied, warnings?.length, tensors.get(HEAD)?.data[6000]]).toEqual([false, 1, head[6000]]);
  });
});

describe('fields of config.json', () => {
  const told = (json: Record<string, unknown>, shapes = new Map()) => {
    const warnings: string[] = [];
    return { config: parseConfig(json, shapes, 'config.json', (text) => warnings.push(text)), warnings };
  };
  const two = {
    model_type: 'mamba2',
    hidden_size: 32,
    num_hidden_layers: 1,
    vocab_size: 8,
    state_size: 4,
    head_dim: 8,
    n_groups: 1,
  };
  const official = { d_model: 8, n_layer: 1, vocab_size: 8 };

  it('of flash-linear-attention mean what they mean in transformers', () => {
    const fla = told({
      ...two,
      norm_eps: 0.01,
      dt_limit: [0.01, 0.05],
      rmsnorm: true,
      norm_before_gate: false,
      fuse_norm: true,
    });
    expect(fla.config.epsilon).toBe(0.01);
    expect(fla.config.blocks[0].mixer).toMatchObject({ epsilon: 0.01, timeStepLimit: [0.01, 0.05] });
    expect(fla.warnings).toEqual([
      expect.stringMatching(/dt_limit .* as time_step_limit/),
      expect.stringMatching(/norm_eps .* as layer_norm/),
    ]);
    expect(told({ ...CONFIG, norm_eps: 0.01 }).config.blocks[0].mixer.epsilon).toBe(0.01);
  });

  it('are read under the names of mamba.py', () => {
    const { config, warnings } = told({ d_model: 8, n_layers: 3, vocab_size: 8 });
    expect(config.blocks).toHaveLength(3);
    expect(warnings).toEqual([expect.stringMatching(/n_layers 3 is read as n_layer/)]);
  });

  it('are those of mamba_ssm where somebody has added a model_type', () => {
    expect(
      told({ ...official, model_type: 'mamba2', ssm_cfg: { layer: 'Mamba2', d_state: 4, headdim: 8 } }).config.format,
    ).toBe('official-mamba2');
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [{ ...two, rmsnorm: false }, /rmsnorm false is not supported/],
    [{ ...two, fuse_norm: true, norm_before_gate: true }, /the gate comes before the norm/],
    [{ ...two, D_has_hdim: true }, /one value per head/],
    [{ ...two, attn: { layers: [1] } }, /attention blocks/],
    [{ ...two, attention_layers_idx: [0] }, /attention blocks/],
    [{ ...two, residual_multiplier: 0.22 }, /scaled blocks/],
    [{ ...two, logits_scaling: 8 }, /scaled logits/],
    [{ ...two, quantization_config: { bits: 4 } }, /quantised/],
    [{ ...two, layer_norm_epsilon: 1e-5, norm_eps: 0.01 }, /contradict each other/],
    [{ ...two, a_new_scale: 0.5 }, /a_new_scale 0\.5 is not known, and may change/],
    [{ ...official, mup: true }, /μP/],
    [{ ...official, ssm_cfg: { a_new_scale: 0.5 } }, /ssm_cfg\): the field a_new_scale/],
    [{ ...CONFIG, rms_norm: false }, /LayerNorm/],
    [{ ...two, scan_type: 'bidirectional' }, /scan_type "bidirectional" is not known, and may change/],
    [{ ...two, norm_type: 'layernorm' }, /norm_type/],
    [{ ...two, activation: 'gelu' }, /the activation must be silu/],
    [{ ...official, ssm_cfg: { activation: 'relu' } }, /the activation must be silu/],
    [{ ...two, num_meta_tokens: 128 }, /num_meta_tokens/],
    [{ ...two, logit_clip: 30 }, /logit_clip/],
    [{ ...two, use_dt_norm: true }, /use_dt_norm/],
    [{ ...two, layer_types: ['mamba', 'attention'] }, /layer_types/],
    [{ ...two, ssm_version: 3 }, /ssm_version/],
    [{ ...two, time_step_bias: 0.1 }, /time_step_bias/],
  ])('that change the equations are refused: %j', (json, message) => {
    expect(() => parseConfig(json, new Map())).toThrow(InputError);
    expect(() => parseConfig(json, new Map())).toThrow(message);
  });

  it.each([
    { ...two, norm_before_gate: true, rms_norm: true, chunk_size: 256, time_step_rank: 256 },
    { ...two, logits_scaling: 1, moe_cfg: {}, a_new_scale: null, a_new_flag: false, wandb_id_path: 'x' },
    { ...CONFIG, d_inner: 16, d_model: 7, n_layer: 9, ssm_cfg: {}, fused_add_norm: true, pad_vocab_size_multiple: 8 },
    { ...official, attn_cfg: {}, attn_layer_idx: [], residual_in_fp32: true, tie_embeddings: true },
    { ...two, transformers_version: '9.0', auto_map: { AutoModel: 'a.b' }, peft_version: 2, created_at: 1.7e9 },
    { ...two, train_tokens: 1e11, num_train_epochs: 3, weight_decay: 0.1, grad_clip: 1, total_params: 1e9, seed: 3 },
    { ...two, use_flash_attention_2: true, fused_dropout_add_ln: true, bf16: true, gradient_checkpointing_ratio: 0.5 },
    { ...two, tokenizer_settings: { a: 1 }, dataset_mix: [0.5, 0.5], trust_remote_code: true, wandb_run: ['x'] },
    { ...official, ssm_cfg: { activation: 'swish' } },
  ])('that change nothing are passed over: %j', (json) => expect(told(json).warnings).toEqual([]));

  it('say by the class that wrote them what the model_type does not', () => {
    const of = (architecture: string, fields: object) => told({ ...fields, architectures: [architecture] });
    const { model_type: _, ...untyped } = two;
    expect(of('Mamba2ForCausalLM', untyped).config.format).toBe('hf-mamba2');
    expect(of('MambaForCausalLM', { ...CONFIG, model_type: null }).warnings).toEqual([
      expect.stringMatching(/model_type is missing, but architectures says MambaForCausalLM; it is read as mamba\./),
    ]);
    const falcon = of('FalconMambaForCausalLM', CONFIG);
    expect(falcon.config.format).toBe('hf-falcon-mamba');
    expect(falcon.warnings).toEqual([expect.stringMatching(/model_type "mamba", but architectures says FalconMamba/)]);
    // A config of mamba_ssm stays one, and a type that is known counts more than a class.
    expect(of('MambaForCausalLM', official).config.format).toBe('official-mamba');
    expect(of('MambaForCausalLM', two).config.format).toBe('hf-mamba2');
    expect(told({ ...CONFIG, model_type: 'Mamba' }).config.format).toBe('hf-mamba');
    expect(told({ ...official, model_type: 'mamba_ssm' }).config.format).toBe('official-mamba');
    expect(() => of('JambaForCausalLM', untyped)).toThrow(/has neither a model_type/);
  });

  it('take the inner width of the weights where it is said, and the layer where only its weights say it', () => {
    const widths = (stored: number) => new Map([['backbone.layers.0.mixer.out_proj.weight', [8, stored]]]);
    const E = (stored: number) => told({ ...CONFIG, intermediate_size: 12 }, widths(stored)).config.blocks[0].mixer.E;
    expect([E(12), E(16)]).toEqual([12, 16]);
    const stored = new Map([['backbone.layers.0.mixer.dt_bias', [2]]]);
    const { config, warnings } = told({ ...official, ssm_cfg: { d_state: 4, headdim: 8 } }, stored);
    expect(config.format).toBe('official-mamba2');
    expect(warnings).toEqual([expect.stringMatching(/the layer is not named; the weights are those of Mamba2/)]);
  });

  it('that are not known, or not asked for, are told', () => {
    expect(told({ ...two, note: 'mine' }).warnings).toEqual([expect.stringMatching(/note "mine" is not known/)]);
    expect(told({ ...CONFIG, dt_limit: [0.01, 0.05] }).warnings).toEqual([expect.stringMatching(/no Mamba-1 clamps/)]);
  });
});
