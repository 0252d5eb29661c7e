import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Outcome, outcomeOf } from '@/lib/cli/testing';
import { overlaid, readExperiment } from './config';
import { armsOf, wavesOf } from './plan';

let root: string;
const before = process.env.STATESCOPE_DATA;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'statescope-experiment-'));
  process.env.STATESCOPE_DATA = join(root, 'data');
});
afterAll(async () => {
  if (before === undefined) delete process.env.STATESCOPE_DATA;
  else process.env.STATESCOPE_DATA = before;
  await rm(root, { recursive: true, force: true });
});

const experiment = (command: string, folder: string, ...rest: string[]): Promise<Outcome> =>
  outcomeOf('experiment', command, folder, '--scale', 'smoke', ...rest);

/** The smoke experiment with something laid over. */
async function copyOf(name: string, over: object): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const name of ['experiment.json', 'samples'])
    await cp(join('experiments/smoke', name), join(folder, name), { recursive: true });
  const given = JSON.parse(await readFile(join(folder, 'experiment.json'), 'utf8'));
  await writeFile(join(folder, 'experiment.json'), JSON.stringify(overlaid(given, over as never)));
  return folder;
}

describe('the smoke experiment', () => {
  const FIGURES = [
    'cost-forward-time.svg',
    'cost-throughput.svg',
    'language-loss-by-position.svg',
    'questions-accuracy-first.svg',
    'questions-accuracy-strict.svg',
    'questions-ratio-first.svg',
    'questions-ratio-strict.svg',
    'reads-allocation.svg',
    'recall-mqar-accuracy.svg',
    'signal-signal.svg',
    'training-accuracy.svg',
    'training-lambda.svg',
    'training-loss.svg',
  ];
  let folder: string;
  let report: string;

  beforeAll(async () => {
    folder = await copyOf('smoke', {});
    const { code, out, err } = await experiment('run', folder, '--threads', '1');
    expect(code, err).toBe(0);
    expect(out).toBe(`${join(folder, 'smoke', 'report.md')}\n`);
    report = await readFile(join(folder, 'smoke', 'report.md'), 'utf8');
  }, 300_000);

  it('trains, evaluates, and reports every kind of figure', async () => {
    const files = await readdir(join(folder, 'smoke'));
    expect(files.sort()).toEqual([...FIGURES, 'report.json', 'report.md', 'runs'].sort());
    for (const name of FIGURES) {
      expect(report).toContain(`](${name})`);
      expect(await readFile(join(folder, 'smoke', name), 'utf8')).toMatch(/^<svg.*<(path|rect).*<\/svg>\n$/s);
    }
    // The plain arm has no λ, and the other one keeps its colour.
    const lines = async (name: string) =>
      new Set((await readFile(join(folder, 'smoke', name), 'utf8')).match(/stroke="#(1458b5|b34c00)"/g));
    expect((await lines('training-loss.svg')).size).toBe(2);
    expect([...(await lines('training-lambda.svg'))]).toEqual(['stroke="#b34c00"']);
    expect(report).toContain('| Mamba-2 | 16952 | runs/plain-0, runs/plain-1 |');
    expect(report).not.toMatch(/NaN|undefined|null/);
  });

  it('says first what was found, from its tables', async () => {
    const { found, training, evaluations } = JSON.parse(await readFile(join(folder, 'smoke', 'report.json'), 'utf8'));
    const [heading, ...lines] = report
      .slice(report.indexOf('## Found'), report.indexOf('## Arms'))
      .trim()
      .split('\n\n');
    expect([heading, lines[0].split('\n')]).toEqual(['## Found', found.map((said: string) => `- ${said}`)]);
    expect(lines[1]).toContain('once in 3');
    const [plain, differential] = training.map(({ accuracy }: never) => (accuracy as { mean: number }[]).at(-1)?.mean);
    expect(found[0]).toMatch(
      new RegExp(
        `^Training: answers right, validation, against Mamba-2 \\(${plain.toFixed(3)}\\): .*: Diff-Mamba-2 ${differential.toFixed(3)}\\.$`,
      ),
    );
    const { mean } = evaluations[0].summary.sources[0].difference.find(
      ({ metric, entry }: Record<string, string>) => metric === 'target_prob' && entry === 'final',
    );
    expect(found[1]).toContain(`Diff-Mamba-2 less Mamba-2, example by example: ${mean.toFixed(3)} [`);
    const cost = evaluations.find(({ name }: { name: string }) => name === 'cost').summary.results.models;
    const ratios = cost[0].shapes.map(({ flops }: { flops: number }, s: number) => cost[1].shapes[s].flops / flops);
    expect(found.at(-1)).toContain(
      `Diff-Mamba-2 takes, of what Mamba-2 takes, ${ratios[0].toFixed(2)} times the operations`,
    );
    expect(report).toMatch(/\| Mamba-2 \| \d\.\d{3} \[\d/);
    expect(report).toMatch(/\| Diff-Mamba-2 \| \d of 4 \(step \d+\) \| \d of 4 \(step 30\) \|/);
    for (const { processor_seconds: seconds } of training) expect(seconds.low).toBeGreaterThan(0);
  });

  it('says in JSON what was measured, without a path of this machine', async () => {
    const text = await readFile(join(folder, 'smoke', 'report.json'), 'utf8');
    expect(text).not.toContain(root);
    const { training, evaluations, seeds } = JSON.parse(text);
    expect(seeds).toEqual([0, 1]);
    const logs = await Promise.all(
      [0, 1].map(async (seed) => readFile(join(folder, 'smoke', 'runs', `plain-${seed}`, 'metrics.jsonl'), 'utf8')),
    );
    const ends = logs.map((log) => JSON.parse(log.trimEnd().split('\n').at(-1) as string).loss as number);
    expect(training[0].loss.at(-1)).toMatchObject({ step: 30, n: 2, low: Math.min(...ends), high: Math.max(...ends) });
    expect(training[1].lambda_by_block).toHaveLength(2);
    expect(evaluations.map(({ name, kind }: { name: string; kind: string }) => [name, kind])).toEqual([
      ['signal', 'snr'],
      ['reads', 'allocation'],
      ['language', 'eval'],
      ['questions', 'eval'],
      ['recall', 'eval'],
      ['cost', 'eval'],
    ]);
    expect(evaluations[0].summary.sources[0].models[1].model).toBe('Diff-Mamba-2');
  });

  it('is done: asked again it changes nothing, and its report is made again from its jobs', async () => {
    const json = await readFile(join(folder, 'smoke', 'report.json'), 'utf8');
    await rm(join(folder, 'smoke', 'report.md'));
    const { code, err } = await experiment('report', folder);
    expect(code, err).toBe(0);
    expect(await readFile(join(folder, 'smoke', 'report.md'), 'utf8')).toBe(report);
    expect(await readFile(join(folder, 'smoke', 'report.json'), 'utf8')).toBe(json);
    const status = JSON.parse((await experiment('status', folder, '--json')).out);
    expect(status.map(({ name, status: { done, items } }: never) => [name, done, items])).toEqual([
      ['training', 4, 4],
      ['signal', 32, 32],
      ['reads', 32, 32],
      ['language', 64, 64],
      ['questions', 16, 16],
      ['recall', 4, 4],
      ['cost', 16, 16],
    ]);
  });

  it('trains a run again whose folder is gone, to the same weights', async () => {
    const path = join(folder, 'smoke', 'runs', 'plain-1', 'model.safetensors');
    const weights = await readFile(path);
    await rm(join(folder, 'smoke', 'runs', 'plain-1'), { recursive: true });
    expect((await experiment('report', folder)).err).toMatch(/plain-1/);
    const { code, err } = await experiment('run', folder, '--threads', '1');
    expect(code, err).toBe(0);
    expect(Buffer.compare(await readFile(path), weights)).toBe(0);
    const after = await readFile(join(folder, 'smoke', 'report.json'), 'utf8');
    expect(JSON.parse(after).training[0].loss.at(-1).n).toBe(2);
  });
});

describe('a dry run', () => {
  it('counts parameters, steps and tokens, and trains nothing', async () => {
    const folder = await copyOf('dry', {});
    const { code, out, err } = await experiment('run', folder, '--dry-run', '--json');
    expect(code, err).toBe(0);
    const { arms, flops_per_second } = JSON.parse(out);
    expect(flops_per_second).toBeGreaterThan(0);
    expect(arms[0]).toMatchObject({ arm: 'plain', parameters: 16952, as_stated: true, runs: 2, steps: 30 });
    // 30 steps of 16 rows, and no row without tokens.
    expect(arms[0].tokens).toBeGreaterThan(30 * 16 * 10);
    expect(arms[0].hours_at_least).toBeCloseTo((2 * arms[0].flops) / flops_per_second / 3600, 9);
    expect(await readdir(folder)).toEqual(['experiment.json', 'samples']);
  });

  it('refuses a count that is not as stated', async () => {
    const folder = await copyOf('miscounted', { arms: { plain: { parameters: 17000 } } });
    const { code, err } = await experiment('run', folder, '--dry-run');
    expect([code, err]).toEqual([2, expect.stringMatching(/plain has 16952 parameters and the experiment says 17000/)]);
  });
});

describe('an experiment.json', () => {
  it('lays scales over arms, field by field', async () => {
    const over = {
      scales: {
        smoke: {
          training: { optimizer: { clip_norm: null } },
          arms: { plain: { label: 'P' } },
          evaluations: { reads: null },
        },
      },
    };
    const { arms, evaluations } = await readExperiment(await copyOf('laid', over), 'smoke');
    expect(arms.get('plain')).toMatchObject({
      label: 'P',
      training: { steps: 30, optimizer: { warmup_steps: 5, clip_norm: null } },
    });
    expect([...evaluations.keys()]).toEqual(['signal', 'language', 'questions', 'recall', 'cost']);
  });

  it('leaves out arms that a scale has at null', async () => {
    const folder = await copyOf('fewer', { scales: { smoke: { arms: { differential: null } } } });
    expect([...(await readExperiment(folder, 'smoke')).arms.keys()]).toEqual(['plain']);
  });

  it('names an arm to compare with that there is not', async () => {
    const arms = async (name: string, against: string) =>
      armsOf(await readExperiment(await copyOf(name, { arms: { plain: { against } } }), 'smoke'));
    expect((await arms('against', 'differential'))[0].against).toBe('differential');
    await expect(arms('against-none', 'nobody')).rejects.toThrow(/plain is to be compared with arm "nobody"/);
  });

  it('lets runs begin with what another arm has made, seed by seed', async () => {
    const from = { checkpoint: 'arm:differential' };
    const later = { training: { from } };
    const folder = await copyOf('waves', { arms: { later } });
    const arms = armsOf(await readExperiment(folder, 'smoke'));
    expect(wavesOf(arms).map((wave) => wave.map(({ name }) => name))).toEqual([['plain', 'differential'], ['later']]);
    expect(arms[2].runs[1].config.from).toEqual({ checkpoint: join(folder, 'smoke', 'runs', 'differential-1') });
  });

  it('trains an arm at every combination of the points of its axes', async () => {
    const axes = {
      warmup: { take: 'mean', points: { long: {}, short: { training: { optimizer: { warmup_steps: 1 } } } } },
      rate: {
        take: 'best',
        points: {
          low: { training: { optimizer: { learning_rate: 0.001 } } },
          high: { training: { optimizer: { learning_rate: 0.01 } } },
        },
      },
    };
    const folder = await copyOf('grid', { axes, arms: { plain: { axes: ['warmup', 'rate'] } } });
    const arms = armsOf(await readExperiment(folder, 'smoke'));
    const names = ['plain-long-low', 'plain-long-high', 'plain-short-low', 'plain-short-high'];
    expect(arms.map(({ name }) => name)).toEqual([...names, 'differential']);
    expect(arms[3]).toMatchObject({
      label: 'Mamba-2, short, high',
      runs: [{ config: { optimizer: { learning_rate: 0.01, warmup_steps: 1 }, steps: 30 } }, { seed: 1 }],
      place: { arm: 'plain', label: 'Mamba-2', at: { warmup: 'short', rate: 'high' } },
    });
  });

  const RATE = { rate: { take: 'best', points: { low: {}, high: {} } } };

  it.each<[string, object, RegExp]>([
    ['an axis that there is not', { arms: { plain: { axes: ['depth'] } } }, /arms.plain.axes names "depth"/],
    ['an axis twice', { axes: RATE, arms: { plain: { axes: ['rate', 'rate'] } } }, /name each axis once/],
    [
      'arms of one name',
      { axes: RATE, arms: { plain: { axes: ['rate'] }, 'plain-low': { model: 'x' } } },
      /two arms come to be called "plain-low"/,
    ],
    ['an axis of one point', { axes: { rate: { take: 'best', points: { low: {} } } } }, /at least two points/],
    ['an unknown field', { arm: {} }, /Unrecognized key.*"arm"/],
    ['an arm of both kinds', { arms: { plain: { model: 'x' } } }, /give training or model/],
    ['a scale of an arm that there is not', { scales: { smoke: { arms: { fourth: {} } } } }, /names "fourth"/],
    ['training that cannot be used', { training: { batch_size: 0 } }, /Arm plain: .*batch_size/],
    ['a beginning that is no arm', { arms: { third: { training: { from: { checkpoint: 'arm:x' } } } } }, /arm "x"/],
  ])('is refused in one sentence with %s', async (what, over, message) => {
    const folder = await copyOf(what.replaceAll(' ', '-'), over);
    const { code, err } = await experiment('status', folder);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
  });

  it('is looked for by name, and names what it has', async () => {
    expect((await outcomeOf('experiment', 'status', 'nothing', '--debug')).err).toMatch(
      /There is no experiment "nothing".*at experimentFolder/s,
    );
    expect((await outcomeOf('experiment', 'status', 'smoke', '--scale', 'paper')).err).toMatch(
      /has no scale "paper": it has smoke, here/,
    );
  });
});
