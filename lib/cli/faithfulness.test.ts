import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ORDERS } from '@/lib/analysis';
import { outcomeOf } from './testing';

const planted = (name: string) => join(process.cwd(), 'lib/analysis/testing/planted', name);
const folder = mkdtempSync(join(tmpdir(), 'statescope-faithfulness-'));
const PROMPT = '. grass smoke Sandra went to the garden . wind John went to the kitchen . Where is John ? Answer :';

afterAll(() => rmSync(folder, { recursive: true }));

describe('faithfulness', () => {
  it('says for every order what deletion and insertion show, over a batch with intervals, and plots the curves', async () => {
    const plot = join(folder, 'curves.svg');
    const args = ['--model', planted('mamba2'), '--examples', join(planted('mamba2'), 'examples.jsonl')];
    const more = ['--points', '5', '--draws', '2', '--resamples', '30', '--plot', plot, '--json'];
    const { code, out, err } = await outcomeOf('faithfulness', ...args, ...more);
    expect(code, err).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ examples: 12, watch: 'logit', points: 5, weights: 'float32' });
    const [{ model, orders, classes }] = report.models;
    expect(model).toBe('mamba2');
    expect(orders.map(({ order }: { order: string }) => order)).toEqual([...ORDERS]);
    for (const one of orders) {
      expect(one.deletion).toHaveLength(6);
      expect(one.deletion_area.low).toBeLessThanOrEqual(one.deletion_area.high);
      expect('above_random' in one).toBe(one.order !== 'random');
      expect(one.frozen_norms.deletion).toHaveLength(6);
      // With all sources there, nothing is removed that a norm could blow up.
      expect(one.frozen_norms.deletion[0]).toBeCloseTo(one.deletion[0], 3);
    }
    // Its answer rests on the words that it reads, which are the needle's and the other room's.
    expect(classes.of).toBe(12);
    const removed = Object.fromEntries(classes.by_class.map((one: { class: string }) => [one.class, one]));
    expect(removed.needle.change).toBeLessThan(removed.needle.change_of_as_many_others);
    expect(Math.abs(removed.needle.change)).toBeGreaterThan(Math.abs(removed.filler.change));
    const svg = readFileSync(plot, 'utf8');
    expect(svg).toContain('mamba2: deletion');
    expect(svg.match(/<path [^>]*fill="none"/g)).toHaveLength(2 * ORDERS.length);
  });

  it('says the same of one prompt in a table, by ln p where that is asked for', async () => {
    const args = ['--model', planted('diff-mamba2'), '--prompt', PROMPT, '--target', 'kitchen', '--foil', 'garden'];
    const { code, out, err } = await outcomeOf(
      'faithfulness',
      ...args,
      '--orders',
      'logit,random',
      '--watch',
      'logprob',
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/deletion \(low is good\)/);
    expect(out.split('\n').filter((line) => /^(logit|random)/.test(line))).toHaveLength(2);
    expect(out).not.toContain('classes removed');
  });

  it.each([
    [['--prompt', PROMPT], /Give --target of one prompt/],
    [['--prompt', PROMPT, '--target', 'kitchen', '--orders', 'best'], /--orders/],
    [['--prompt', PROMPT, '--target', 'kitchen', '--plot', 'curves.png'], /ends in \.svg/],
    [['--prompt', PROMPT, '--target', 'kitchen', '--out', 'x.npz'], /writes no tensors/],
    [['--prompt', '.', '--target', 'kitchen'], /no source to remove/],
  ])('refuses %j with a sentence', async (args, sentence) => {
    const { code, err } = await outcomeOf('faithfulness', '--model', planted('mamba2'), ...args);
    expect(code).toBe(2);
    expect(err).toMatch(sentence);
  });
});
