import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { InputError, loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { isMatrix } from '@/lib/models';
import { Feed } from './feed';
import type { TrainingMetrics } from './metrics';
import { learningRate } from './schedule';
import { loadTrainingState } from './state';
import { type TrainOptions, trainFromConfig } from './train';

const model = { hidden_size: 16, num_hidden_layers: 2, layers: 'mamba2', state_size: 4, head_dim: 8 };
const base = {
  model,
  data: { source: 'retrieval', sentences: [2, 2] },
  batch_size: 4,
  optimizer: { warmup_steps: 2, learning_rate: 0.01 },
  log_every: 1,
  evaluate_every: 4,
  checkpoint_every: 4,
  evaluation_examples: 8,
};

let folder: string;
beforeAll(async () => {
  await openDevice();
  folder = await mkdtemp(join(tmpdir(), 'statescope-trainer-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const place = (name: string) => join(folder, name);
const weightsOf = async (name: string) =>
  new Map([...(await loadCheckpoint(place(name))).tensors].map(([key, { data }]) => [key, data]));

async function run(name: string, config: object, options: TrainOptions = {}) {
  const result = await trainFromConfig(config, place(name), options);
  const lines = (await readFile(join(place(name), 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return { result, metrics: lines.map((line) => JSON.parse(line) as TrainingMetrics) };
}

describe('stages', () => {
  it('end by the accuracy of a label, or by their steps, each with its own schedule', async () => {
    const stages = [
      { name: 'reached', steps: 30, until: { accuracy: { person: 0, object: 0 } }, optimizer: { learning_rate: 0.02 } },
      { name: 'never reached', steps: 6, until: { accuracy: 1 }, batch_size: 2 },
      { name: 'told', steps: 3, optimizer: { warmup_steps: 0, final_learning_rate: 0.001 } },
    ];
    const { metrics, result } = await run('stages', { ...base, stages });
    expect(metrics.flatMap(({ step, stage, stage_end }) => (stage_end ? [[step, stage, stage_end]] : []))).toEqual([
      [4, 'reached', 'accuracy'],
      [10, 'never reached', 'steps'],
      [13, 'told', 'steps'],
    ]);
    expect(result).toMatchObject({ step: 13, finished: true });
    expect(result.evaluation).toEqual(metrics[12].evaluation);
    expect(metrics.map(({ steps }) => steps)).toEqual(new Array(13).fill(39));
    const rates = metrics.map((line) => line.learning_rate);
    const first = { peak: 0.02, floor: 3e-5, warmupSteps: 2, steps: 30 };
    expect(rates.slice(0, 4)).toEqual([0, 1, 2, 3].map((step) => learningRate(first, step)));
    expect(rates.slice(10)).toEqual([0.01, 0.0055, 0.001].map((rate) => expect.closeTo(rate, 9)));
    expect(metrics[3].evaluation?.labels).toMatchObject({ person: { n: expect.any(Number) } });
    const [begun, last] = [metrics[0].time, metrics[12].time];
    expect(begun).toMatchObject({ seconds: expect.any(Number), tokens_per_second: expect.any(Number), evaluating: 0 });
    expect(begun.processor_seconds).toBeGreaterThan(0);
    expect(last.processor_seconds).toBeGreaterThan(begun.processor_seconds);
    for (const share of [last.waiting, last.evaluating]) expect(share).toBeGreaterThan(0);
    expect(last.waiting + last.evaluating).toBeLessThan(1);
    // Two of three stages' rows are half as many.
    expect(metrics[5].tokens).toBeLessThan(0.75 * metrics[0].tokens);
  });

  it('do not wait for an answer that nobody asks for', async () => {
    const stages = [{ steps: 8, until: { accuracy: { animal: 0.5 } } }];
    await expect(run('animal', { ...base, stages })).rejects.toThrow(/"animal".*there are object, person/);
  });
});

describe('a loss that is no number any more', () => {
  const config = { ...base, steps: 40, optimizer: { warmup_steps: 12, learning_rate: 1e30, clip_norm: null } };

  it('ends the run with the step and the last good checkpoint, which can be used', async () => {
    const early = { ...config, checkpoint_every: 1 };
    const failed = await run('early', early).catch((error) => error);
    expect(failed).toBeInstanceOf(InputError);
    const [, step, last] =
      /of step (\d+) is not finite; the last good checkpoint, that of step (\d+),/.exec(failed.message) ?? [];
    expect(Number(last)).toBeGreaterThan(0);
    expect(Number(last)).toBeLessThanOrEqual(Number(step));
    expect((await loadTrainingState(place('early'))).progress.step).toBe(Number(last));
    for (const values of (await weightsOf('early')).values()) expect(values.every(Number.isFinite)).toBe(true);
  });

  it('says where there is none', async () => {
    const late = { ...config, checkpoint_every: 1000 };
    await expect(run('late', late)).rejects.toThrow(/of step \d+ is not finite; there is no checkpoint before it/);
  });
});

describe('from a checkpoint', () => {
  beforeAll(async () => {
    await run('plain', { ...base, steps: 4 });
  });

  it('goes on with its weights and its tokenizer', async () => {
    const { metrics } = await run('on', {
      ...base,
      model: undefined,
      from: { checkpoint: place('plain') },
      steps: 1,
      optimizer: { learning_rate: 1e-12, warmup_steps: 0 },
    });
    const [before, after] = [await weightsOf('plain'), await weightsOf('on')];
    for (const [name, values] of before)
      values.forEach((value, i) => {
        expect(after.get(name)?.[i], name).toBeCloseTo(value, 6);
      });
    expect(metrics[0].lambda).toEqual([]);
    const [own, other] = await Promise.all(
      ['plain', 'on'].map((name) => readFile(join(place(name), 'tokenizer.json'), 'utf8')),
    );
    expect(other).toBe(own);
  });

  it.each(['raw', 'aware'] as const)('converts it on the way (%s), with λ as it is asked to start', async (layout) => {
    const { metrics } = await run(layout, {
      ...base,
      model: undefined,
      from: { checkpoint: place('plain'), convert: { to: 'diff_mamba2', pattern: [1], layout } },
      lambda_start: { mean: 0.25, deviation: 0 },
      steps: 2,
      optimizer: { learning_rate: 1e-9 },
    });
    const { config, tensors } = await loadCheckpoint(place(layout));
    expect(config.blocks.map(({ kind }) => kind)).toEqual(['mamba2', 'diff_mamba2']);
    for (const value of tensors.get('backbone.layers.1.lambda_q1')?.data ?? [0]) expect(value).toBeCloseTo(0.25, 6);
    const sigma = 1 / (1 + Math.exp(-16 * 0.25));
    const lambdaInit = 0.8 - 0.6 * Math.exp(-0.3);
    expect(metrics[1].lambda).toEqual([
      { block: 1, lambda: expect.closeTo(sigma + lambdaInit, 5), sigma: expect.closeTo(sigma, 5) },
    ]);
  });

  it('does not read the words of one tokenizer by another', async () => {
    const path = join(place('plain'), 'tokenizer.json');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"kitchen"', '"cellar"'));
    const config = { ...base, model: undefined, from: { checkpoint: place('plain') }, steps: 1 };
    await expect(run('words', config)).rejects.toThrow('other words');
    await writeFile(path, text);
  });
});

describe('validation rows', () => {
  it('are read once a stage, however often they are evaluated on', async () => {
    const asked = vi.spyOn(Feed.prototype, 'validation');
    const stages = [
      { name: 'first', steps: 8 },
      { name: 'second', steps: 5 },
    ];
    const { metrics } = await run('asked', { ...base, stages });
    expect(metrics.filter(({ evaluation }) => evaluation).map(({ step }) => step)).toEqual([4, 8, 12, 13]);
    expect(asked.mock.calls).toEqual([
      [0, 8],
      [1, 8],
    ]);
    asked.mockRestore();
  });
});

describe('what is trained beside the weights', () => {
  it('keeps the moving average and saves and evaluates it', async () => {
    const decay = 0.8;
    const averaged = await run('averaged', {
      ...base,
      steps: 3,
      ema: { decay },
      checkpoint_every: 1,
      evaluate_every: 1,
    });
    const plain = await run('unaveraged', { ...base, steps: 3, checkpoint_every: 1, evaluate_every: 1 });
    const { parameters, average } = await loadTrainingState(place('averaged'));
    const saved = await weightsOf('averaged');
    expect(saved).toEqual(average);
    expect(parameters).toEqual(await weightsOf('unaveraged'));
    expect(averaged.metrics.map(({ loss }) => loss)).toEqual(plain.metrics.map(({ loss }) => loss));
    expect(averaged.metrics[2].evaluation?.text).not.toBe(plain.metrics[2].evaluation?.text);
    const name = 'backbone.layers.0.mixer.in_proj.weight';
    const steps: Float32Array[] = [];
    for (const k of [0, 1, 2, 3]) {
      const folder = `after-${k}`;
      const stop = new AbortController();
      if (k === 0) stop.abort();
      await trainFromConfig({ ...base, steps: 3, evaluate_every: 1 }, place(folder), {
        signal: stop.signal,
        onProgress: ({ step }) => step === k && stop.abort(),
      });
      steps.push((await weightsOf(folder)).get(name) as Float32Array);
    }
    saved.get(name)?.forEach((value, i) => {
      const mean = steps.reduce((sum, values, k) => (k === 0 ? values[i] : decay * sum + (1 - decay) * values[i]), 0);
      expect(value).toBeCloseTo(mean, 6);
    });
  });

  it('computes with rounded matrices and saves the originals', async () => {
    await run('rounded', { ...base, steps: 3, precision: 'bf16' });
    await run('exact', { ...base, steps: 3 });
    const [rounded, exact] = [await weightsOf('rounded'), await weightsOf('exact')];
    const matrix = [...rounded.keys()].find(isMatrix) as string;
    const isShort = (value: number) => (new Uint32Array(Float32Array.of(value).buffer)[0] & 0xffff) === 0;
    expect(rounded.get(matrix)?.every(isShort)).toBe(false);
    expect(rounded.get(matrix)).not.toEqual(exact.get(matrix));
    rounded.get(matrix)?.forEach((value, i) => {
      expect(Math.abs(value - (exact.get(matrix)?.[i] ?? Number.NaN))).toBeLessThan(0.05);
    });
  });
});

it('names the field in which a configuration differs from that of the run', async () => {
  await run('field', { ...base, steps: 2 });
  const other = { ...base, steps: 2, optimizer: { ...base.optimizer, betas: [0.9, 0.95] } };
  await expect(run('field', other, { resume: true })).rejects.toThrow('optimizer.betas.1 differs');
});
