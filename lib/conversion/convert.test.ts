import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DifferentialBlock } from '@/lib/checkpoint';
import {
  type Checkpoint,
  expectedTensors,
  InputError,
  loadCheckpoint,
  type ModelConfig,
  saveCheckpoint,
  saveHfCheckpoint,
} from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { createModel, type Model } from '@/lib/models';
import { type ConversionLayout, chosenBlocks, convertCheckpoint } from '.';

const caseFolder = (name: string) => join(process.cwd(), 'lib/models/testing/cases', name);

/** One Mamba-2 block of the published 370M shape. Every weight is the index of its row; out_proj that of its column. */
function indexed370m(): Checkpoint {
  const mixer = {
    d: 1024,
    E: 2048,
    N: 128,
    K: 4,
    R: 0,
    H: 32,
    P: 64,
    G: 1,
    epsilon: 1e-5,
    timeStepLimit: [0, Number.POSITIVE_INFINITY] as const,
    useBias: false,
    useConvBias: true,
  };
  const config: ModelConfig = {
    format: 'hf-mamba2',
    d: 1024,
    V: 2,
    vocabulary: 2,
    epsilon: 1e-5,
    tied: true,
    blocks: [{ kind: 'mamba2', mixer }],
  };
  const tensors = [...expectedTensors(config)].map(([name, shape]) => {
    const width = shape.slice(1).reduce((product, size) => product * size, 1);
    const data = new Float32Array(shape[0] * width);
    const byColumn = name.endsWith('out_proj.weight');
    for (let k = 0; k < data.length; k++) data[k] = byColumn ? k % width : Math.floor(k / width);
    return [name, { sourceName: name, shape, dtype: 'float32', data }] as const;
  });
  return { path: '', name: 'indexed', config, tensors: new Map(tensors), parameterCount: 0 };
}

/** The row (or column) indices that one tensor of a converted model was made of, as runs [first, last]. */
function runs(checkpoint: Checkpoint, name: string): number[][] {
  const { data, shape } = checkpoint.tensors.get(`backbone.layers.0.${name}`) ?? {
    data: new Float32Array(),
    shape: [0],
  };
  const width = data.length / shape[0];
  const byColumn = name.endsWith('out_proj.weight');
  const indices = byColumn
    ? Array.from(data.slice(0, width))
    : Array.from({ length: shape[0] }, (_, row) => data[row * width]);
  // One comparison of millions of values: matchers take seconds for each.
  const same = data.every((value, k) => value === indices[byColumn ? k % width : Math.floor(k / width)]);
  expect(same, `${name} is made of whole ${byColumn ? 'columns' : 'rows'}`).toBe(true);
  const found: number[][] = [];
  for (const index of indices) {
    const last = found.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else found.push([index, index]);
  }
  return found;
}

describe('the raw layout at d = 1024', () => {
  const converted = convertCheckpoint(indexed370m(), { to: 'diff_mamba2', pattern: 'all', layout: 'raw' });

  it.each([
    ['in_proj.weight', [0, 2335], [2048, 4383]],
    ['conv1d.weight', [0, 1279], [1024, 2303]],
    ['conv1d.bias', [0, 1279], [1024, 2303]],
    ['norm.weight', [0, 1023], [1024, 2047]],
    ['out_proj.weight', [0, 1023], [1024, 2047]],
    ['A_log', [0, 31], [0, 31]],
    ['D', [0, 31], [0, 31]],
    ['dt_bias', [0, 31], [0, 31]],
  ])('takes the rows of the authors’ slice for %s', (name, first, second) => {
    expect(runs(converted, `mixer_1.${name}`)).toEqual([first]);
    expect(runs(converted, `mixer_2.${name}`)).toEqual([second]);
  });

  it('has the shapes of the published hybrid', () => {
    const shapes = new Map([...converted.tensors].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(expectedTensors(converted.config));
    expect(converted.config.blocks[0].mixer).toMatchObject({ E: 1024, P: 32, H: 32, N: 128 });
    expect(shapes.get('backbone.layers.0.mixer_1.in_proj.weight')).toEqual([2336, 1024]);
    const total = [...converted.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(converted.parameterCount).toBe(total);
  });
});

describe('the aware layout at d = 1024', () => {
  const converted = convertCheckpoint(indexed370m(), { to: 'diff_mamba2', pattern: 'all', layout: 'aware' });
  const halves = (offset: number, branch: number) =>
    Array.from({ length: 32 }, (_, h) => [
      offset + 64 * h + 32 * (branch - 1),
      offset + 64 * h + 32 * (branch - 1) + 31,
    ]);

  it.each([1, 2])('gives mixer_%i its half of every head of z and x, and all of B, C and dt', (branch) => {
    expect(runs(converted, `mixer_${branch}.in_proj.weight`).flat()).toEqual(
      joined([...halves(0, branch), ...halves(2048, branch), [4096, 4383]]),
    );
    expect(runs(converted, `mixer_${branch}.conv1d.weight`).flat()).toEqual(
      joined([...halves(0, branch), [2048, 2303]]),
    );
    expect(runs(converted, `mixer_${branch}.norm.weight`)).toEqual(halves(0, branch));
    expect(runs(converted, `mixer_${branch}.out_proj.weight`)).toEqual(halves(0, branch));
    expect(runs(converted, `mixer_${branch}.A_log`)).toEqual([[0, 31]]);
  });
});

/** Runs that touch are one run: the last half of the last head ends where B begins. */
function joined(list: number[][]): number[] {
  const result: number[][] = [];
  for (const [from, to] of list) {
    const last = result.at(-1);
    if (last && last[1] === from - 1) last[1] = to;
    else result.push([from, to]);
  }
  return result.flat();
}

describe('a converted model', () => {
  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
  });

  const tokens = [
    [5, 17, 3, 99, 42, 8, 8, 61],
    [1, 2, 30, 4, 50, 6, 70, 9],
  ];

  /** max|a − b| / max|b| */
  function distance(a: tf.Tensor, b: tf.Tensor): number {
    return tf.tidy(() => a.sub(b).abs().max().div(b.abs().max()).dataSync()[0]);
  }

  /** Runs plain and converted model so that every block of both reads the same normalised input. */
  async function sideBySide(name: string, to: 'diff_mamba2' | 'diff_mamba1', layout: ConversionLayout) {
    const checkpoint = await loadCheckpoint(caseFolder(name));
    const plain = createModel(checkpoint);
    const diff = createModel(convertCheckpoint(checkpoint, { to, pattern: 'all', layout }));
    const { cache } = plain.runWithCache(tokens, { names: ['*'] });
    const inputs = diff.runWithCache(tokens, {
      names: ['*'],
      hooks: [['blocks.*.hook_normalized_input', (_, point) => cache.get(point)]],
    });
    return {
      plain: cache,
      diff: inputs.cache,
      mixer: checkpoint.config.blocks[0].mixer,
      n: plain.config.blocks.length,
    };
  }

  function channelsOf(value: tf.Tensor, branch: number, H: number, P: number): tf.Tensor {
    const [B, L, E] = value.shape;
    return tf.tidy(() =>
      value
        .reshape([B, L, H, P])
        .slice([0, 0, 0, ((branch - 1) * P) / 2], [B, L, H, P / 2])
        .reshape([B, L, E / 2]),
    );
  }

  it.each(['hf-mamba2-groups', 'official-mamba2-defaults'])(
    'in the aware layout keeps every channel of %s up to the gated norm',
    async (name) => {
      const { plain, diff, mixer, n } = await sideBySide(name, 'diff_mamba2', 'aware');
      for (let i = 0; i < n; i++)
        for (const branch of [1, 2])
          for (const point of ['hook_skip', 'hook_ssm_input', 'hook_ssm_output', 'hook_after_skip']) {
            const expected = channelsOf(plain.get(`blocks.${i}.${point}`) as tf.Tensor, branch, mixer.H, mixer.P);
            const got = diff.get(`blocks.${i}.mixer_${branch}.${point}`) as tf.Tensor;
            expect(distance(got, expected), `${i} ${branch} ${point}`).toBeLessThan(1e-5);
          }
    },
  );

  it('in the raw layout does not', async () => {
    const { plain, diff, mixer } = await sideBySide('hf-mamba2-groups', 'diff_mamba2', 'raw');
    for (const branch of [1, 2]) {
      const expected = channelsOf(plain.get('blocks.0.hook_ssm_output') as tf.Tensor, branch, mixer.H, mixer.P);
      expect(distance(diff.get(`blocks.0.mixer_${branch}.hook_ssm_output`) as tf.Tensor, expected)).toBeGreaterThan(
        0.1,
      );
    }
  });

  it('of Mamba-1 keeps x and z of its channels, and its branches share out δ, B and C', async () => {
    const { plain, diff, mixer, n } = await sideBySide('hf-mamba1-bias', 'diff_mamba1', 'aware');
    const of = (i: number, branch: number, point: string) =>
      diff.get(`blocks.${i}.mixer_${branch}.${point}`) as tf.Tensor;
    for (let i = 0; i < n; i++) {
      for (const point of ['hook_skip', 'hook_ssm_input', 'hook_A']) {
        const axis = point === 'hook_A' ? 0 : 2;
        const expected = tf.split(plain.get(`blocks.${i}.${point}`) as tf.Tensor, 2, axis);
        for (const branch of [1, 2]) expect(distance(of(i, branch, point), expected[branch - 1])).toBeLessThan(1e-5);
      }
      for (const point of ['hook_delta_1', 'hook_B', 'hook_C']) {
        const sum = of(i, 1, point).add(of(i, 2, point));
        expect(distance(sum, plain.get(`blocks.${i}.${point}`) as tf.Tensor)).toBeLessThan(1e-5);
      }
    }
    expect(mixer.E).toBe(80);
  });

  it('of Mamba-1 loads and runs in the raw layout too', async () => {
    const checkpoint = await loadCheckpoint(caseFolder('hf-mamba1-bias'));
    const raw = convertCheckpoint(checkpoint, { to: 'diff_mamba1', pattern: [1] });
    const inProj = checkpoint.tensors.get('backbone.layers.1.mixer.in_proj.weight')?.data as Float32Array;
    const half = inProj.length / 2;
    expect(raw.tensors.get('backbone.layers.1.mixer_1.in_proj.weight')?.data).toEqual(inProj.slice(0, half));
    expect(raw.tensors.get('backbone.layers.1.mixer_2.in_proj.weight')?.data).toEqual(inProj.slice(half));
    expect(await finiteLogits(createModel(raw))).toBe(true);
  });

  async function finiteLogits(model: Model): Promise<boolean> {
    return (await model.forward(tokens).data()).every(Number.isFinite);
  }

  it('keeps what it does not convert, and starts with subln 1, λ_init of its depth and seeded normal λ', async () => {
    const checkpoint = await loadCheckpoint(caseFolder('hf-mamba2-groups'));
    const convert = (pattern: 'all' | number[], seed?: number) =>
      convertCheckpoint(checkpoint, { to: 'diff_mamba2', pattern, layout: 'aware', seed });
    const one = convert([1], 7);
    expect(one.config.blocks[0]).toBe(checkpoint.config.blocks[0]);
    expect((one.config.blocks[1] as DifferentialBlock).lambdaInit).toBeCloseTo(0.8 - 0.6 * Math.exp(-0.3), 12);
    for (const name of ['backbone.embeddings.weight', 'backbone.layers.0.mixer.D', 'backbone.layers.1.norm.weight'])
      expect(one.tensors.get(name)?.data).toBe(checkpoint.tensors.get(name)?.data);
    const lambda = (made: Checkpoint, i: number) => made.tensors.get(`backbone.layers.${i}.lambda_q1`)?.data;
    expect(one.tensors.get('backbone.layers.1.subln.weight')?.data).toEqual(new Float32Array(48).fill(1));
    const all = convert('all', 7);
    expect(lambda(all, 1)).toEqual(lambda(one, 1));
    expect(lambda(all, 0)).not.toEqual(lambda(all, 1));
    expect(lambda(convert('all', 8), 1)).not.toEqual(lambda(all, 1));
    const wide = convertCheckpoint(indexed370m(), { to: 'diff_mamba2', pattern: 'all' });
    const values = tf.moments(lambda(wide, 0) as Float32Array);
    expect(Math.abs(values.mean.dataSync()[0])).toBeLessThan(0.15);
    expect(Math.abs(values.variance.dataSync()[0] - 1)).toBeLessThan(0.2);
    expect(await finiteLogits(createModel(all))).toBe(true);
  });

  it('keeps the branches of blocks that were differential before', async () => {
    const checkpoint = await loadCheckpoint(caseFolder('hf-mamba2-groups'));
    const one = convertCheckpoint(checkpoint, { to: 'diff_mamba2', pattern: [1], seed: 7 });
    const both = convertCheckpoint(one, { to: 'diff_mamba2', pattern: [0], seed: 8 });
    expect(both.config.blocks.map(({ kind }) => kind)).toEqual(['diff_mamba2', 'diff_mamba2']);
    for (const [name, { data }] of one.tensors)
      if (name.includes('.layers.1.')) expect(both.tensors.get(name)?.data, name).toBe(data);
  });
});

describe('a converted checkpoint on disk', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'convert-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  it('is read back from both formats, and from the authors’ only in their patterns', async () => {
    const plain = await loadCheckpoint(caseFolder('official-mamba2-defaults'));
    const { config, tensors } = convertCheckpoint(plain, { to: 'diff_mamba2', pattern: 'alternate', layout: 'aware' });
    await saveCheckpoint(join(scratch, 'own'), config, tensors);
    await saveHfCheckpoint(join(scratch, 'hf'), config, tensors);
    for (const [folder, format] of [['own', 'statescope'] as const, ['hf', 'hf-diffmamba2'] as const]) {
      const read = await loadCheckpoint(join(scratch, folder));
      expect(read.config).toEqual({ ...config, format });
      for (const [name, { data }] of tensors) expect(read.tensors.get(name)?.data, name).toEqual(data);
    }
    const two = await loadCheckpoint(caseFolder('hf-mamba2-groups'));
    const second = convertCheckpoint(two, { to: 'diff_mamba2', pattern: [1] });
    await saveCheckpoint(join(scratch, 'second'), second.config, second.tensors);
    expect((await loadCheckpoint(join(scratch, 'second'))).config).toEqual(second.config);
    await expect(saveHfCheckpoint(join(scratch, 'no'), second.config, second.tensors)).rejects.toThrow(/patterns all/);
  });
});

describe('what cannot be converted', () => {
  it('chooses blocks as the paper names them', () => {
    expect(chosenBlocks('quarter', 9)).toEqual([7, 8]);
    expect(chosenBlocks('alternate', 5)).toEqual([0, 2, 4]);
    expect(chosenBlocks([3, 1, 3], 4)).toEqual([1, 3]);
    expect(() => chosenBlocks('quarter', 3)).toThrow(/quarter of 3 blocks is none/);
    expect(() => chosenBlocks([4], 4)).toThrow(InputError);
    expect(() => chosenBlocks([], 4)).toThrow(InputError);
  });

  it('is refused in one sentence', async () => {
    const mamba1 = await loadCheckpoint(caseFolder('hf-mamba1-bias'));
    expect(() => convertCheckpoint(mamba1, { to: 'diff_mamba2', pattern: 'all' })).toThrow(
      /Block 0 is mamba1, and only mamba2 can become diff_mamba2/,
    );
    const once = convertCheckpoint(mamba1, { to: 'diff_mamba1', pattern: [0] });
    expect(() => convertCheckpoint(once, { to: 'diff_mamba1', pattern: 'all' })).toThrow(/Block 0 is diff_mamba1/);
    expect(() => convertCheckpoint(mamba1, { to: 'diff_mamba1', pattern: 'all', seed: -1 })).toThrow(InputError);
    const { config } = mamba1;
    const narrow = {
      ...config,
      blocks: config.blocks.map((block) => ({ ...block, mixer: { ...block.mixer, E: 40 } })),
    };
    expect(() => convertCheckpoint({ ...mamba1, config: narrow }, { to: 'diff_mamba1', pattern: 'all' })).toThrow(
      /inner width 40/,
    );
  });
});
