import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TrainingRunsSchema } from '@/lib/api/training';
import { openDevice } from '@/lib/engine';
import { trainFromConfig } from '@/lib/training';
import { TrainingFolders } from './training-runs';

const config = {
  model: { hidden_size: 16, num_hidden_layers: 1, layers: 'diff_mamba2', expand: 1, state_size: 4, head_dim: 8 },
  data: { source: 'retrieval', sentences: [2, 2] },
  steps: 4,
  batch_size: 2,
  log_every: 1,
  evaluate_every: 2,
  evaluation_examples: 4,
};

let root: string;
let places: string[];
beforeAll(async () => {
  await openDevice();
  root = await mkdtemp(join(tmpdir(), 'statescope-runs-'));
  places = [join(root, 'runs'), join(root, 'nowhere')];
  await trainFromConfig(config, join(root, 'runs', 'arms', 'seed-0'));
  await trainFromConfig({ ...config, seed: 1, name: 'other' }, join(root, 'runs', 'arms', 'seed-1'));
  const stop = new AbortController();
  const wider = { ...config, batch_size: 3 };
  await trainFromConfig(wider, join(root, 'runs', 'wide'), { signal: stop.signal, onProgress: () => stop.abort() });
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('runs of training', () => {
  it('are found below a folder, by arm and seed, with their curves, λ and samples', async () => {
    const listed = await new TrainingFolders().list(root, places);
    expect(() => TrainingRunsSchema.parse(listed)).not.toThrow();
    expect(listed.folders).toEqual([places[0]]);
    expect(listed.runs.map(({ name, arm, seed, step, finished }) => [name, arm, seed, step, finished])).toEqual([
      ['arms/seed-0', 0, 0, 4, true],
      ['arms/seed-1', 0, 1, 4, true],
      ['wide', 1, 0, 1, false],
    ]);
    const [{ points, evaluations, samples, secondsLeft }, , wide] = listed.runs;
    expect(points.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(points[0].lambda).toEqual([{ block: 0, lambda: expect.any(Number), sigma: expect.any(Number) }]);
    expect(evaluations.map(({ step }) => step)).toEqual([2, 4]);
    expect(samples).toHaveLength(3);
    expect(samples[0].read).toMatch(/Where is .*\? Answer:$/);
    expect(samples[0].wanted).toMatch(/^\w+$/);
    expect(secondsLeft).toBe(0);
    expect(wide.secondsLeft).toBeGreaterThan(0);
  });

  it('are read as they go on, and one that is damaged is named', async () => {
    const folders = new TrainingFolders();
    const folder = join(root, 'runs', 'going');
    await cp(join(root, 'runs', 'wide'), folder, { recursive: true });
    const of = async () => (await folders.list(root, places, 'runs/going')).runs;
    const metrics = join(folder, 'metrics.jsonl');
    const line = JSON.parse((await readFile(metrics, 'utf8')).trim());
    expect((await of()).map(({ step, name }) => [step, name])).toEqual([[1, folder]]);
    await appendFile(metrics, `${JSON.stringify({ ...line, step: 2 })}\n{"step":3,`);
    expect((await of())[0].step).toBe(2);
    await writeFile(metrics, 'nothing\n');
    expect(await folders.list(root, places, folder)).toMatchObject({ runs: [], broken: [{ folder }] });
    await rm(folder, { recursive: true });
  });

  it('are not confused with tuned lenses, and not looked for where the server may not read', async () => {
    const lens = join(root, 'runs', 'lens');
    await mkdir(lens);
    await writeFile(join(lens, 'training.json'), '{"model":"m","length":8,"steps":3}');
    await writeFile(join(lens, 'metrics.jsonl'), '{"step":1,"losses":[1]}\n');
    const folders = new TrainingFolders();
    expect((await folders.list(root, places)).broken).toEqual([]);
    await expect(folders.list(root, places, '/etc')).rejects.toMatchObject({ status: 403 });
    await expect(folders.list(root, places, 'runs/../..')).rejects.toMatchObject({ status: 403 });
    await expect(folders.list(root, places, 'runs/none')).rejects.toMatchObject({ status: 404 });
  });
});
