import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
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
    expect(former.out).toBe(now.out);
    expect(JSON.parse(now.out).difference).toEqual([]);
  });

  it("labels layers as the paper's figure does", async () => {
    const examples = join(folder, 'one.jsonl');
    writeFileSync(examples, '{"tokens":[1,2,3],"target":4}\n{"tokens":[3,2],"target":5}\n');
    const one = ['--models', bundled('demo-mamba2'), '--examples', examples, '--json'];
    const plain = JSON.parse((await outcomeOf('snr', ...one)).out).models[0].rows;
    const paper = JSON.parse((await outcomeOf('snr', ...one, '--preset', 'paper')).out).models[0].rows;
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
