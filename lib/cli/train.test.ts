import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openDevice } from '@/lib/engine';
import { trainFromConfig } from '@/lib/training';
import { loadTrainingState } from '@/lib/training/state';
import { outcomeOf } from './testing';

const EVERY = 6;

const model = {
  hidden_size: 16,
  num_hidden_layers: 2,
  layers: ['mamba2', 'diff_mamba2'],
  expand: [2, 1],
  state_size: 4,
  head_dim: 8,
};
const stories = { source: 'retrieval', sentences: [2, 3] };
const shared = {
  data: stories,
  batch_size: 4,
  optimizer: { warmup_steps: 5 },
  log_every: 1,
  evaluate_every: 20,
  checkpoint_every: EVERY,
  evaluation_examples: 8,
};

let folder: string;
beforeAll(async () => {
  await openDevice();
  folder = await mkdtemp(join(tmpdir(), 'statescope-train-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const linesOf = async (out: string) =>
  (await readFile(join(out, 'metrics.jsonl'), 'utf8')).split('\n').filter((line) => line.endsWith('}'));

/** What a run leaves, with the one field taken out that no two runs share. */
async function leftBy(out: string): Promise<Record<string, string>> {
  const names = (await readdir(out)).sort();
  const files = await Promise.all(
    names.map(async (name) => [name, (await readFile(join(out, name))).toString('latin1')] as const),
  );
  const { 'metrics.jsonl': metrics, ...others } = Object.fromEntries(files);
  return { ...others, 'metrics.jsonl': metrics.replaceAll(/"time":\{[^}]*\}/g, '') };
}

/** Runs the command as a process of its own, which is killed −9 when it has said that it did `until` steps. */
function trainUntilKilled(config: string, out: string, until: number, more: readonly string[] = []): Promise<void> {
  const cli = join(process.cwd(), 'dist', 'cli.mjs');
  const child = spawn(process.execPath, [cli, 'train', '--config', config, '--out', out, ...more]);
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
    const steps = Array.from(said.matchAll(/^step (\d+) of/gm), ([, step]) => Number(step));
    if (steps.some((step) => step >= until)) child.kill('SIGKILL');
  });
  return new Promise((resolve, reject) =>
    child.on('exit', (_code, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error(`It ended by itself: ${said}`)),
    ),
  );
}

/** Whole files, at most one cadence behind what the metrics tell. */
async function expectWhole(out: string): Promise<void> {
  const { progress, parameters } = await loadTrainingState(out);
  const { tensors } = await loadCheckpoint(out);
  for (const [name, { data }] of tensors) expect(data.length).toBe(parameters.get(name)?.length);
  const lines = await linesOf(out);
  const { step } = JSON.parse(lines[lines.length - 1]);
  expect(step - progress.step).toBeLessThanOrEqual(EVERY);
  expect(progress.step % EVERY).toBe(0);
}

describe('train, killed −9 and resumed', () => {
  const cases: Record<string, (base: string) => object> = {
    'a fresh model': () => ({ model, steps: 60 }),
    'a converted checkpoint': (base) => ({
      from: { checkpoint: base, convert: { to: 'diff_mamba2', pattern: [0] } },
      lambda_start: { deviation: 0.1 },
      steps: 60,
    }),
    'accumulated gradients and a moving average': () => ({ model, steps: 60, accumulate: 3, ema: { decay: 0.9 } }),
    'stages of mixed data, rounded to bfloat16': () => ({
      model,
      precision: 'bf16',
      stages: [
        { name: 'short', data: { ...stories, sentences: [2, 2] }, steps: 40, until: { accuracy: 0 } },
        { data: [stories, { ...stories, seed: 1, weight: 2, loss: { answers: 1, text: 0 } }], steps: 40 },
      ],
    }),
  };

  it.each(Object.entries(cases))(
    'leaves every file of %s as an uninterrupted run does',
    async (what, configOf) => {
      const place = (name: string) => join(folder, `${what.replaceAll(' ', '-')}-${name}`);
      const base = place('base');
      if (what.includes('checkpoint')) await trainFromConfig({ ...shared, model, steps: 5 }, base);
      const json = { ...shared, ...configOf(base) };
      await trainFromConfig(json, place('straight'));
      const config = place('config.json');
      await writeFile(config, JSON.stringify(json));
      const killed = place('killed');
      await trainUntilKilled(config, killed, EVERY + 2);
      await expectWhole(killed);
      await trainUntilKilled(config, killed, 3 * EVERY + 4, ['--resume']);
      await expectWhole(killed);
      const { code, err, out } = await outcomeOf('train', '--config', config, '--out', killed, '--resume');
      expect(err).toMatch(/going on after step \d+\n/);
      expect({ code, out: out.replace(/ at step.*/s, '') }).toEqual({ code: 0, out: 'trained' });
      expect(await leftBy(killed)).toEqual(await leftBy(place('straight')));
    },
    120_000,
  );
});

describe('train', () => {
  it('says what ended a stage, how fast it is and how long it takes', async () => {
    const config = join(folder, 'stages.json');
    const stages = [{ name: 'first', steps: 30, until: { accuracy: 0 } }, { steps: 4 }];
    await writeFile(config, JSON.stringify({ ...shared, model, stages }));
    const { code, out, err } = await outcomeOf('train', '--config', config, '--out', join(folder, 'stages'), '--json');
    expect(code).toBe(0);
    expect(err).toMatch(
      /step 20 of 34: loss \d.*held-out accuracy 0\.\d+, \d+ tokens\/s, \d+ s left; first ended by its accuracy/,
    );
    expect(err).toMatch(/stage 2 ended by its steps/);
    expect(JSON.parse(out)).toMatchObject({ step: 24, finished: true, evaluation: { rows: 8 } });
  });

  it('answers what cannot be used with one sentence', async () => {
    const config = join(folder, 'wrong.json');
    await writeFile(config, JSON.stringify({ ...shared, model, steps: 5, data: { source: 'nothing' } }));
    const { code, err } = await outcomeOf('train', '--config', config, '--out', join(folder, 'wrong'));
    expect(code).toBe(2);
    expect(err).toContain('field data.0.source');
  });
});
