import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors, type OutputTensor } from '@/lib/safetensors';
import { caseOf, modelCases, referenceFolder } from '@/testing/references';
import { parseConfig } from './config';
import { loadCheckpoint } from './load';
import { readSafetensors } from './safetensors';
import { expectedTensors } from './schema';
import { statePickle, torchZip } from './torch-zip.fixture';
import { type DifferentialBlock, InputError } from './types';

const known = (name: string) => referenceFolder('models', name) as string;

interface Case {
  readonly tokens: number[][];
  readonly blocks: string[];
  readonly lambda_init: Record<string, number>;
}

describe('every checkpoint of the reference cases', () => {
  it.each(modelCases())('$name', async ({ folder }) => {
    const expected = caseOf(folder) as Case;
    const { config, tensors, parameterCount } = await loadCheckpoint(folder);
    expect(config.blocks.map(({ kind }) => kind)).toEqual(expected.blocks);
    for (const [key, value] of Object.entries(expected.lambda_init)) {
      const block = config.blocks[Number(key.split('.')[1])];
      if (block.kind !== 'diff_s6') expect((block as DifferentialBlock).lambdaInit).toBeCloseTo(value, 12);
    }
    expect(new Map([...tensors].map(([key, { shape }]) => [key, shape]))).toEqual(expectedTensors(config));
    for (const { shape, data } of tensors.values()) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
    expect(parameterCount).toBe([...tensors.values()].reduce((sum, { data }) => sum + data.length, 0));
    expect(tensors.has('lm_head.weight')).toBe(!config.tied);

    const answers = await readSafetensors(join(folder, 'expected.safetensors'));
    const embed = answers.get('hook_embed');
    const embedding = tensors.get('backbone.embeddings.weight');
    const { d } = config;
    expected.tokens.flat().forEach((token, row) => {
      const want = embed?.data.slice(row * d, (row + 1) * d);
      expect(embedding?.data.slice(token * d, (token + 1) * d)).toEqual(want);
    });
    expect(answers.get('hook_logits')?.shape.at(-1)).toBe(config.V);
  });

  it('honours the strides of a transposed view: its matrix maps the input to the gate', async () => {
    const folder = known('official-mamba2');
    const { config, tensors } = await loadCheckpoint(folder);
    const answers = await readSafetensors(join(folder, 'expected.safetensors'));
    const weight = tensors.get('backbone.layers.1.mixer.in_proj.weight')?.data as Float32Array;
    const input = answers.get('blocks.1.hook_normalized_input')?.data as Float32Array;
    const gate = answers.get('blocks.1.hook_skip')?.data as Float32Array;
    const { d } = config;
    const { E } = config.blocks[1].mixer;
    for (let row = 0; row < input.length / d; row++) {
      for (let e = 0; e < E; e++) {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += weight[e * d + i] * input[row * d + i];
        expect(Math.abs(sum - gate[row * E + e])).toBeLessThan(1e-4);
      }
    }
  });

  it('keeps the source names and dtypes', async () => {
    const official = await loadCheckpoint(known('official-mamba1'));
    expect(official.tensors.get('backbone.embeddings.weight')?.sourceName).toBe('backbone.embedding.weight');
    const sharded = await loadCheckpoint(known('hf-mamba2-sharded'), 'a name');
    expect(sharded.name).toBe('a name');
    expect(new Set([...sharded.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['bfloat16']));
  });
});

const CONFIG = { model_type: 'mamba', hidden_size: 8, num_hidden_layers: 1, vocab_size: 5, state_size: 2 };

/** All tensors of the tiny model, filled with distinct numbers. */
function tinyTensors(): Map<string, OutputTensor> {
  const shapes = expectedTensors(parseConfig(CONFIG, new Map()));
  return new Map(
    [...shapes].map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 8 - 1);
      return [name, { name, shape, data }];
    }),
  );
}

describe('a folder made here', () => {
  let root: string;
  let count = 0;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'statescope-load-'));
  });
  afterAll(() => rm(root, { recursive: true }));

  async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
    const folder = join(root, `model-${count++}`);
    await mkdir(folder);
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return folder;
  }
  const withTensors = (tensors: Map<string, OutputTensor>, config: object = CONFIG) =>
    folderWith({ 'config.json': JSON.stringify(config), 'model.safetensors': encodeSafetensors(tensors.values()) });

  async function refusal(folder: string): Promise<string> {
    const failure = await loadCheckpoint(folder).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InputError);
    return (failure as InputError).message;
  }

  it('loads, with its tokenizer', async () => {
    const folder = await withTensors(tinyTensors());
    expect((await loadCheckpoint(folder)).tokenizerPath).toBeUndefined();
    await writeFile(join(folder, 'tokenizer.json'), '{}');
    expect(await loadCheckpoint(folder)).toMatchObject({ path: folder, tokenizerPath: join(folder, 'tokenizer.json') });
  });

  it('takes the ids of the tokenizer for its vocabulary, padding left out', async () => {
    const folder = await withTensors(tinyTensors());
    const { V } = (await loadCheckpoint(folder)).config;
    const read = async (tokenizer: unknown) => {
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
      return (await loadCheckpoint(folder)).config.vocabulary;
    };
    expect(await read({ model: { vocab: { a: 0, b: 2 } } })).toBe(3);
    expect(await read({ model: { vocab: { a: 0 } }, added_tokens: [{ id: 1, content: '<s>' }] })).toBe(2);
    expect(await read({ model: { vocab: [['a', -1.5]] } })).toBe(1);
    expect(await read({ model: { vocab: { a: 1000 } } })).toBe(V);
    expect(await read('no tokenizer')).toBe(V);
  });

  it('tells how much of it is in memory, tensor by tensor', async () => {
    const seen: number[][] = [];
    const onProgress = (...told: number[]) => seen.push(told);
    const { parameterCount, tensors } = await loadCheckpoint(await withTensors(tinyTensors()), 'tiny', { onProgress });
    let sum = 0;
    expect(seen).toEqual(
      [...tensors.values()].map(({ data }) => {
        sum += data.length;
        return [sum, parameterCount];
      }),
    );
    expect(sum).toBe(parameterCount);
  });

  it('drops a stored head that is the embedding, and refuses one of another shape', async () => {
    const tensors = tinyTensors();
    const same = tensors.get('backbone.embeddings.weight')?.data as Float32Array;
    tensors.set('lm_head.weight', { name: 'lm_head.weight', shape: [5, 8], data: same });
    const { tensors: loaded } = await loadCheckpoint(await withTensors(tensors));
    expect(loaded.has('lm_head.weight')).toBe(false);
    tensors.set('lm_head.weight', { name: 'lm_head.weight', shape: [4, 8], data: new Float32Array(32) });
    expect(await refusal(await withTensors(tensors))).toMatch(/tied to the embedding/);
  });

  it('names missing, unknown and misshapen tensors in one sentence', async () => {
    const tensors = tinyTensors();
    tensors.delete('backbone.layers.0.mixer.D');
    tensors.set('surplus', { name: 'surplus', shape: [1], data: new Float32Array(1) });
    tensors.set('backbone.norm_f.weight', { name: 'backbone.norm_f.weight', shape: [9], data: new Float32Array(9) });
    expect(await refusal(await withTensors(tensors))).toMatch(
      /missing: backbone\.layers\.0\.mixer\.D; unknown: surplus; of the wrong shape: backbone\.norm_f\.weight \[9\] instead of \[8\]\.$/,
    );
    tensors.clear();
    tensors.set('surplus', { name: 'surplus', shape: [1], data: new Float32Array(1) });
    expect(await refusal(await withTensors(tensors))).toMatch(/ and 9 more/);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses a weight that is %s',
    async (value) => {
      const tensors = tinyTensors();
      (tensors.get('backbone.layers.0.mixer.A_log')?.data as Float32Array)[3] = value;
      expect(await refusal(await withTensors(tensors))).toMatch(/A_log holds NaN or infinite/);
    },
  );

  it('refuses integer weights, missing files and broken configs', async () => {
    const tensors = tinyTensors();
    tensors.set('backbone.norm_f.weight', { name: 'backbone.norm_f.weight', shape: [8], data: new Int32Array(8) });
    expect(await refusal(await withTensors(tensors))).toMatch(/holds I32 values/);
    expect(await refusal(await folderWith({}))).toMatch(/config\.json cannot be found/);
    expect(await refusal(await folderWith({ 'config.json': '{}' }))).toMatch(/holds no weights/);
    const weights = encodeSafetensors(tinyTensors().values());
    expect(await refusal(await folderWith({ 'config.json': '{', 'model.safetensors': weights }))).toMatch(
      /not valid JSON/,
    );
    const cut = { 'config.json': JSON.stringify(CONFIG), 'model.safetensors': weights.slice(0, -1) };
    expect(await refusal(await folderWith(cut))).toMatch(/cut short/);
  });

  it('says what lies in the place of the weights, and what to do', async () => {
    const config = JSON.stringify(CONFIG);
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n';
    for (const name of ['model.safetensors', 'pytorch_model.bin'])
      expect(await refusal(await folderWith({ 'config.json': config, [name]: pointer }))).toMatch(
        new RegExp(`${name} is a Git LFS pointer.*git lfs pull`),
      );
    expect(await refusal(await folderWith({ 'config.json': pointer }))).toMatch(/config\.json is a Git LFS pointer/);
    expect(
      await refusal(await folderWith({ 'config.json': config, 'model.safetensors': '<!DOCTYPE html><p>' })),
    ).toMatch(/is a web page/);
    for (const [name, remedy] of [
      ['last.ckpt', /last\.ckpt .* call it pytorch_model\.bin/],
      ['weights.safetensors', /call it model\.safetensors/],
      ['adapter_model.safetensors', /merge it into its model/],
      ['model.gguf', /GGUF/],
      ['model-00001-of-00002.safetensors', /is a shard without its index: copy model\.safetensors\.index\.json/],
      ['pytorch_model-00001-of-00002.bin', /is a shard without its index: copy pytorch_model\.bin\.index\.json/],
      ['mp_rank_00_model_states.pt', /DeepSpeed: its zero_to_fp32\.py/],
      ['__0_0.distcp', /merge-weights/],
    ] as const)
      expect(await refusal(await folderWith({ 'config.json': config, [name]: 'x' }))).toMatch(remedy);
    expect(await refusal(await folderWith({ 'config.json': config, 'optimizer.pt': 'x' }))).toMatch(/is needed\.$/);
  });

  it('knows the files of one format under the name of another, and texts in the place of weights', async () => {
    const config = JSON.stringify(CONFIG);
    const file = encodeSafetensors(tinyTensors().values());
    const wrong = (name: string, content: string | Uint8Array) =>
      folderWith({ 'config.json': config, [name]: content }).then(refusal);
    expect(await wrong('pytorch_model.bin', file)).toMatch(/is a safetensors file: call it model\.safetensors/);
    const torch = torchZip(statePickle([]), {});
    expect(await wrong('model.safetensors', torch)).toMatch(/is what torch\.save writes: call it pytorch_model\.bin/);
    expect(await wrong('model.safetensors', `GGUF${'\0'.repeat(9)}`)).toMatch(/GGUF/);
    for (const content of ['{"error": "Repository not found"}', 'Access to this model is restricted.'])
      expect(await wrong('model.safetensors', content)).toMatch(/holds a text and no weights.*download the file again/);
    expect(await wrong('model.safetensors', '')).toMatch(/only 0 bytes; copy or download/);
  });

  it('says how many blocks there are where the config counts others', async () => {
    const folder = await withTensors(tinyTensors(), { ...CONFIG, num_hidden_layers: 3 });
    expect(await refusal(folder)).toMatch(/The config counts 3 blocks and the weights are of 1: mend/);
  });

  it('refuses a config that is no file, or that never ends, without reading it', async () => {
    const folder = await folderWith({ 'model.safetensors': encodeSafetensors(tinyTensors().values()) });
    const config = join(folder, 'config.json');
    await mkdir(config);
    expect(await refusal(folder)).toMatch(/config\.json is not a file/);
    await rm(config, { recursive: true });
    await symlink('/dev/zero', config);
    expect(await refusal(folder)).toMatch(/config\.json is not a file/);
    await rm(config);
    await writeFile(config, '{}');
    await truncate(config, 2 ** 30);
    expect(await refusal(folder)).toMatch(/far more than such a file needs/);
  });

  it('quotes a name without its control characters, and cuts it where it never ends', async () => {
    const tensors = tinyTensors();
    tensors.set('x', { name: `backbone.\u001b[31m${'n'.repeat(100_000)}\n`, shape: [1], data: new Float32Array(1) });
    const message = await refusal(await withTensors(tensors));
    expect(message).toMatch(/unknown: .*n…n/);
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message.length).toBeLessThan(1001);
  });

  describe('in shards', () => {
    const all = [...tinyTensors().values()];
    const index = (fileOf: (name: string, i: number) => string) =>
      JSON.stringify({ weight_map: Object.fromEntries(all.map(({ name }, i) => [name, fileOf(name, i)])) });
    const shards = {
      'config.json': JSON.stringify(CONFIG),
      'a.safetensors': encodeSafetensors(all.slice(0, 4)),
      'b.safetensors': encodeSafetensors(all.slice(4)),
    };
    const right = (_: string, i: number) => (i < 4 ? 'a.safetensors' : 'b.safetensors');
    const withIndex = (text: string, files: Record<string, string | Uint8Array> = shards) =>
      folderWith({ ...files, 'model.safetensors.index.json': text });

    it('loads', async () => {
      const { tensors } = await loadCheckpoint(await withIndex(index(right)));
      expect(tensors.get('backbone.norm_f.weight')?.data).toEqual(all.at(-1)?.data);
    });

    it('loads torch shards', async () => {
      const plans = [...tinyTensors().values()].map(({ name, shape, data }, i) => {
        const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
        return { name, storage: String(i), elements: data.length, shape, strides, data };
      });
      const shard = (part: typeof plans) =>
        torchZip(
          statePickle(part),
          Object.fromEntries(part.map(({ storage, data }) => [storage, new Uint8Array(data.buffer)])),
        );
      const folder = await folderWith({
        'config.json': JSON.stringify(CONFIG),
        'one.bin': shard(plans.slice(0, 5)),
        'two.bin': shard(plans.slice(5)),
        'pytorch_model.bin.index.json': index((_, i) => (i < 5 ? 'one.bin' : 'two.bin')),
      });
      const { tensors } = await loadCheckpoint(folder);
      for (const { name, data } of plans) expect(tensors.get(name)?.data).toEqual(data);
    });

    it('refuses an index that leaves the folder, misplaces a tensor or is none', async () => {
      expect(await refusal(await withIndex(index(() => '../model-0/model.safetensors')))).toMatch(/shards must be/);
      expect(await refusal(await withIndex(index(() => '/etc/passwd')))).toMatch(/shards must be/);
      expect(await refusal(await withIndex(index((_, i) => (i < 5 ? 'a.safetensors' : 'b.safetensors'))))).toMatch(
        /says that a\.safetensors holds/,
      );
      expect(await refusal(await withIndex('{}'))).toMatch(/no weight_map/);
      expect(await refusal(await withIndex(index(() => 'c.safetensors')))).toMatch(
        /names 1 of 1 shards that are not there \(c\.safetensors\): copy or download/,
      );
      const twice = { ...shards, 'b.safetensors': encodeSafetensors(all.slice(3)) };
      expect(await refusal(await withIndex(index(right), twice))).toMatch(/in both a\.safetensors and b\.safetensors/);
    });
  });
});
