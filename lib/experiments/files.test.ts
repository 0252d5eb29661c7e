import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dryRun, readExperiment, SCALES, type Scale } from '.';

const ROOT = process.cwd();
const FOLDER = join(ROOT, 'experiments');
const NAMES = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'experiment.json')));

const isOfThePaper = (name: string) => !['recall', 'smoke'].includes(name);

/** Operations a second, so that nothing is measured. */
const RATE = 1e12;

const estimates = async (name: string, scale: Scale) => {
  const { arms } = await dryRun(await readExperiment(join(FOLDER, name), scale), ROOT, { rate: RATE });
  return arms;
};

describe('the experiments', () => {
  it('are those of the paper, beside recall over gaps and the one that is run in the tests', () => {
    expect(NAMES).toEqual([
      ...['ablation', 'conversion', 'cost', 'language', 'mad', 'recall', 'retrieval', 'signal', 'smoke'],
    ]);
  });

  it.each(NAMES.flatMap((name) => SCALES.map((scale) => [name, scale] as const)))(
    '%s can be run dry at the scale %s',
    async (name, scale) => {
      if (!isOfThePaper(name) && scale === 'paper')
        return expect(estimates(name, scale)).rejects.toThrow(/no scale "paper"/);
      const arms = await estimates(name, scale);
      expect(arms.length).toBeGreaterThan(1);
      for (const { arm, parameters, tokens, hours_at_least: hours, runs, lacks } of arms) {
        // What ships needs nothing; what the paper has is named, and counted all the same where its configuration says it.
        if (scale !== 'paper') expect([arm, lacks]).toEqual([arm, undefined]);
        if (lacks === undefined) expect([parameters, tokens, hours]).not.toContain(null);
        if (runs > 0) expect([arm, parameters]).toEqual([arm, expect.any(Number)]);
      }
    },
  );

  it.each(['language', 'retrieval', 'conversion', 'cost'])('%s has the paper’s counts of parameters', async (name) => {
    const counts = new Map((await estimates(name, 'paper')).map((one) => [one.arm, one]));
    const alternating = counts.get('hybrid') ?? counts.get('alternate-raw');
    // The paper rounds them to 368 and 375 million.
    expect(counts.get('plain')).toMatchObject({ parameters: 368_346_624, as_stated: true });
    expect(alternating).toMatchObject({ parameters: 375_506_688, as_stated: true });
  });

  it('language is as long as the paper’s pre-training', async () => {
    const [plain] = await estimates('language', 'paper');
    expect(plain).toMatchObject({ steps: 47_684, runs: 3, lacks: [expect.stringMatching(/data\/pile/)] });
    expect(plain.tokens).toBeCloseTo(50e9, -6);
    expect(plain.hours_at_least).toBeCloseTo((3 * (plain.flops as number)) / RATE / 3600, 3);
  });

  it('mad has every setting of every task at every learning rate, with and without decay', async () => {
    const { arms } = await readExperiment(join(FOLDER, 'mad'), 'paper');
    // 33 settings of the six tasks, three rates, two decays, two models.
    expect(arms.size).toBe(33 * 3 * 2 * 2);
    const one = arms.get('fuzzy-in-context-recall-plain-rows-6400-1e-3-decay-0');
    expect(one?.training).toMatchObject({
      steps: 10_000,
      data: { task: 'fuzzy-in-context-recall', examples: 6400 },
      optimizer: { learning_rate: 1e-3, weight_decay: 0, final_learning_rate: 1e-6 },
    });
    const tasks = new Map<string, Set<string>>();
    for (const { place, training } of arms.values()) {
      const { task } = (training as { data: { task: string } }).data;
      tasks.set(task, (tasks.get(task) ?? new Set()).add(Object.values(place?.at ?? {})[0]));
    }
    expect(Object.fromEntries([...tasks].map(([task, settings]) => [task, settings.size]))).toEqual({
      'in-context-recall': 6,
      'fuzzy-in-context-recall': 5,
      'noisy-in-context-recall': 5,
      'selective-copying': 5,
      compression: 6,
      memorization: 6,
    });
  });
});
