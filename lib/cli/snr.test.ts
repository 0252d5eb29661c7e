import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { babilongLines } from '@/lib/data/babilong';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-snr-'));
afterAll(() => rmSync(folder, { recursive: true }));
const bundled = (name: string) => join(process.cwd(), 'models', name);
const pair = ['--models', `${bundled('demo-mamba2')},${bundled('demo-diff-mamba2')}`];

describe('snr', () => {
  it('compares the demo pair on the same stories, the same way every time', async () => {
    const args = ['snr', ...pair, '--examples', 'demo:6', '--resamples', '200', '--json'];
    const { code, out, err } = await outcomeOf(...args);
    expect(err).not.toContain('statescope:');
    expect(code).toBe(0);
    const { models, difference, examples } = JSON.parse(out);
    expect(examples).toBe(6);
    const last = (model: number) =>
      models[model].rows.find(
        ({ entry, metric }: { entry: string; metric: string }) => entry === 'final' && metric === 'target_prob',
      );
    expect(last(0).mean).toBeGreaterThan(0.5);
    expect(last(0).low).toBeLessThanOrEqual(last(0).mean);
    expect(new Set(models[1].rows.map(({ metric }: { metric: string }) => metric)).size).toBe(8);
    const end = difference.find(
      ({ entry, metric }: { entry: string; metric: string }) => entry === 'final' && metric === 'target_prob',
    );
    expect(end.mean).toBeCloseTo(last(1).mean - last(0).mean, 6);
    expect((await outcomeOf(...args)).out).toBe(out);
  });

  it('takes the former name of a margin and says so', async () => {
    const args = ['snr', ...pair, '--examples', 'demo:2', '--resamples', '20', '--json', '--metric'];
    const [former, now] = [await outcomeOf(...args, 'log_odds'), await outcomeOf(...args, 'margin')];
    expect(former.err).toContain('"log_odds" is called "margin" now');
    expect(now.err).not.toContain('is called');
    expect(JSON.parse(former.out).models).toEqual(JSON.parse(now.out).models);
    expect(JSON.parse(now.out).difference).toEqual([]);
  });

  it('reads the preset of the paper through the tuned lenses of the models, and says where there is none', async () => {
    const args = ['snr', '--examples', 'demo:3', '--resamples', '20', '--json', '--preset', 'paper'];
    const own = await outcomeOf(...args, ...pair);
    const folders = ['demo-mamba2', 'demo-diff-mamba2'].map((name) => join(bundled(name), 'tuned-lens')).join();
    const named = JSON.parse((await outcomeOf(...args, ...pair, '--tuned', folders)).out);
    expect(JSON.parse(own.out)).toEqual(named);
    expect(named.lens).toBe('tuned');
    expect(named.intervals).toEqual({ level: 0.95, over: 'prompts' });
    const bare = join(process.cwd(), 'lib/models/testing/cases/hf-mamba1-bias');
    const ids = join(folder, 'ids.jsonl');
    writeFileSync(ids, '{"tokens":[1,2,3],"target":4}\n{"tokens":[3,2],"target":5}\n');
    const without = ['snr', '--models', bare, '--examples', ids, '--json', '--preset', 'paper'];
    const { out, err } = await outcomeOf(...without);
    expect(JSON.parse(out).lens).toBe('logit');
    expect(JSON.parse(out).notes).toMatchObject([
      expect.stringMatching(/hf-mamba1-bias has none: this is the logit lens/),
    ]);
    expect(err).toContain('this is the logit lens');
  });

  it('averages seeds of one model, example by example, and draws them anew for its intervals', async () => {
    const models = ['demo-mamba2', 'demo-diff-mamba2'].map(bundled);
    const common = ['--examples', 'demo:4', '--resamples', '20', '--metric', 'target_prob', '--json'];
    const means = async (names: string) => {
      const { models: found, intervals } = JSON.parse((await outcomeOf('snr', '--models', names, ...common)).out);
      const { seeds, rows } = found[0] as { seeds: number; rows: { mean: number; low: number; high: number }[] };
      return { seeds, intervals, means: rows.map(({ mean }) => mean), widths: rows.map(({ low, high }) => high - low) };
    };
    const [a, b, both] = [await means(models[0]), await means(models[1]), await means(models.join('+'))];
    expect([a.seeds, both.seeds]).toEqual([1, 2]);
    both.means.forEach((mean: number, k: number) => {
      expect(mean).toBeCloseTo((a.means[k] + b.means[k]) / 2, 10);
    });
    expect(a.intervals).toEqual({ level: 0.95, over: 'prompts' });
    expect(both.intervals).toEqual({ level: 0.95, over: 'training seeds and prompts' });
    // Where the two runs differ, whichever is drawn counts.
    const apart = a.means.map((mean: number, k: number) => Math.abs(mean - b.means[k]));
    const most = apart.indexOf(Math.max(...apart));
    expect(both.widths[most]).toBeGreaterThan(0.9 * apart[most]);
    const readable = await outcomeOf(
      'snr',
      '--models',
      models.join('+'),
      ...common.filter((word) => word !== '--json'),
    );
    expect(readable.out).toContain('mean of 2 seeds; 95 % bootstrap intervals over training seeds and prompts');
  });

  it('takes BABILong as the paper or its script takes it', async () => {
    const rows = (task: number, length: string) =>
      Array.from({ length: 103 }, (_, k) => ({
        input: `Mary is ${k} ${length} .`,
        question: 'Where is Mary?',
        target: task > 5 ? 'office' : 'garden',
      }));
    for (let task = 1; task <= 20; task++)
      for (const length of task <= 5 ? ['0k', '1k', '2k'] : ['0k']) {
        mkdirSync(join(folder, 'babilong', 'data', `qa${task}`), { recursive: true });
        writeFileSync(
          join(folder, 'babilong', 'data', `qa${task}`, `${length}.json`),
          JSON.stringify(rows(task, length)),
        );
      }
    const lines = async (setting: string) =>
      (await babilongLines(`babilong-${setting}:${join(folder, 'babilong')}`))
        .split('\n')
        .map((text) => JSON.parse(text));
    const [paper, script] = [await lines('paper'), await lines('script')];
    expect([paper.length, script.length]).toEqual([1000, 2000]);
    expect(paper[0]).toEqual({ context: 'Mary is 3 1k .', question: 'Where is Mary?', answer: 'garden' });
    expect(paper[100].context).toBe('Mary is 3 2k .');
    expect(script.at(-1)).toEqual({ context: 'Mary is 102 0k .', question: 'Where is Mary?', answer: 'office' });
    const missing = await outcomeOf('snr', ...pair, '--examples', 'babilong-paper:/nowhere');
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('give the folder of RMT-team/babilong-1k-samples');
  });

  it('scores an answer of several tokens whole, and says that the metrics read its first token only', async () => {
    const examples = join(folder, 'long.jsonl');
    const prompt = 'Mary entered the garden. Where is Mary? Answer:';
    const lines = (target: string) =>
      [
        { prompt, target },
        { prompt, target: 'office' },
      ]
        .map((line) => JSON.stringify(line))
        .join('\n');
    const ask = async (target: string) => {
      writeFileSync(examples, lines(target));
      const { out, err } = await outcomeOf('snr', '--models', bundled('demo-mamba2'), '--examples', examples, '--json');
      return { ...JSON.parse(out), err };
    };
    const [one, two] = [await ask('garden'), await ask('garden.')];
    expect(one.models[0].answer_logprob).toBeUndefined();
    expect(two.err).toContain('1 of 2 answers have several tokens');
    const first = one.models[0].rows.find(
      ({ entry, metric }: { entry: string; metric: string }) => entry === 'final' && metric === 'target_logprob',
    );
    // The first tokens are the same; the full stop costs something on top.
    expect(two.models[0].answer_logprob.n).toBe(2);
    expect(two.models[0].answer_logprob.mean).toBeLessThan(first.mean);
  });

  it("labels layers as the paper's figure does", async () => {
    const examples = join(folder, 'one.jsonl');
    writeFileSync(examples, '{"tokens":[1,2,3],"target":4}\n{"tokens":[3,2],"target":5}\n');
    const one = ['--models', bundled('demo-mamba2'), '--examples', examples, '--json'];
    const plain = JSON.parse((await outcomeOf('snr', ...one)).out).models[0].rows;
    const logit = [...one, '--lens', 'logit'];
    const paper = JSON.parse((await outcomeOf('snr', ...logit, '--preset', 'paper')).out).models[0].rows;
    const of = (rows: { entry: string; metric: string; mean: number }[], entry: string) =>
      rows.find((row) => row.entry === entry && row.metric === 'target_prob')?.mean;
    expect(paper.map(({ entry }: { entry: string }) => entry)).toEqual(
      Array.from({ length: paper.length }, (_, k) => String(k + 1)),
    );
    expect(of(paper, '1')).toBe(of(plain, 'layer 1'));
    expect(of(paper, String(paper.length))).toBe(of(plain, 'final'));
  });

  it.each([
    [['--examples', 'demo:3', '--lens', 'tuned'], /one folder for each/],
    [['--examples', 'nothing.jsonl'], /cannot be read/],
    [['--examples', 'demo:3', '--metric', 'luck'], /--metric takes/],
  ])('%j is refused in a sentence', async (options, message) => {
    const { code, err } = await outcomeOf('snr', ...pair, ...options);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
