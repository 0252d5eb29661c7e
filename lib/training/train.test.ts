import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError, loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { beginningOf } from './begin';
import { parseTrainingConfig } from './config';
import { recipeOf } from './recipe';
import { RowReader } from './rows';
import { trainFromConfig } from './train';
import { Trainer } from './trainer';

const config = {
  name: 'tiny',
  model: {
    hidden_size: 16,
    num_hidden_layers: 2,
    layers: ['mamba2', 'diff_mamba2'],
    expand: [2, 1],
    state_size: 4,
    head_dim: 8,
  },
  data: { source: 'retrieval', sentences: [2, 3], questions: 2 },
  steps: 10,
  batch_size: 2,
  optimizer: { warmup_steps: 3, learning_rate: 0.01 },
  log_every: 1,
  evaluate_every: 5,
  checkpoint_every: 5,
  evaluation_examples: 8,
};

const never = () => Promise.reject(new Error('No checkpoint is asked for.'));

const weightsOf = async (folder: string) =>
  new Map([...(await loadCheckpoint(folder)).tensors].map(([name, { data }]) => [name, data]));

const metricsOf = async (folder: string) =>
  (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), time: undefined }));

describe('trainFromConfig', () => {
  let folder: string;
  beforeAll(async () => {
    await openDevice({ device: 'cpu' });
    folder = await mkdtemp(join(tmpdir(), 'statescope-train-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('gives the same weights and metrics in one go and resumed half-way', async () => {
    const [straight, halved] = [join(folder, 'straight'), join(folder, 'halved')];
    const whole = await trainFromConfig(config, straight);
    expect(whole).toMatchObject({ step: 10, finished: true });

    const stop = new AbortController();
    const first = await trainFromConfig(config, halved, {
      signal: stop.signal,
      onProgress: ({ step }) => step === 5 && stop.abort(),
    });
    expect(first).toMatchObject({ step: 5, finished: false });
    expect(await weightsOf(halved)).not.toEqual(await weightsOf(straight));

    const second = await trainFromConfig(config, halved, { resume: true });
    expect(second).toEqual({ ...whole, folder: halved });
    expect(await weightsOf(halved)).toEqual(await weightsOf(straight));
    expect(await metricsOf(halved)).toEqual(await metricsOf(straight));
  });

  it('starts again where a run was killed before its first checkpoint, and says that it does', async () => {
    const killed = join(folder, 'killed');
    await mkdir(killed);
    const [first, second] = await readFile(join(folder, 'straight', 'metrics.jsonl'), 'utf8').then((text) =>
      text.split('\n'),
    );
    await writeFile(join(killed, 'metrics.jsonl'), `${first}\n${second.slice(0, 20)}`);
    const starts: number[] = [];
    await trainFromConfig(config, killed, { resume: true, onStart: (done) => starts.push(done) });
    expect(starts).toEqual([0]);
    expect(await weightsOf(killed)).toEqual(await weightsOf(join(folder, 'straight')));
    expect(await metricsOf(killed)).toEqual(await metricsOf(join(folder, 'straight')));
  });

  it('leaves a tokenizer and the configuration beside the weights', async () => {
    const { tokenizerPath } = await loadCheckpoint(join(folder, 'straight'));
    expect(tokenizerPath).toBeDefined();
    const stored = JSON.parse(await readFile(join(folder, 'straight', 'training.json'), 'utf8'));
    expect(stored).toEqual(parseTrainingConfig(config));
  });

  it('neither overwrites a run nor resumes from nothing nor with another model', async () => {
    await expect(trainFromConfig(config, join(folder, 'straight'))).rejects.toThrow(InputError);
    await expect(trainFromConfig(config, join(folder, 'none'), { resume: true })).rejects.toThrow(InputError);
    const wider = { ...config, model: { ...config.model, hidden_size: 32 } };
    await expect(trainFromConfig(wider, join(folder, 'straight'), { resume: true })).rejects.toThrow('does not fit');
  });

  it('learns a single batch by heart', async () => {
    const parsed = parseTrainingConfig({ ...config, steps: 60, batch_size: 4 });
    const reader = await RowReader.open(recipeOf(parsed));
    const data = reader.describe();
    const rows = reader.step(0, data.start);
    let late = 0;
    const feed = { step: () => setTimeout(late, rows), validation: async () => reader.validation(0, 4) };
    const trainer = new Trainer(parsed, { ...(await beginningOf(parsed, data, never)), feed, data });
    const losses: number[] = [];
    for (let i = 0; i < 60; i++) losses.push((await trainer.step()).answers ?? Number.NaN);
    // Rows that come late are waited for, and that is told.
    const before = trainer.waited;
    late = 200;
    await trainer.step();
    expect(trainer.waited - before).toBeGreaterThan(0.19);
    trainer.dispose();
    expect(losses[59]).toBeLessThan(0.5 * losses[0]);
  });
});
