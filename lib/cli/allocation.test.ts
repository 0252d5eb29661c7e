import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '@/lib/checkpoint/safetensors';
import { outcomeOf } from './testing';

const PLANTED = join(process.cwd(), 'lib/analysis/testing/planted');
const folder = mkdtempSync(join(tmpdir(), 'statescope-allocation-'));
const planted = (name: string) => join(PLANTED, name);
const PROMPT =
  '. grass smoke Sandra went to the garden . wind John went to the kitchen . cloud rain Where is John ? Answer :';
const asked = [
  ...['--prompt', PROMPT, '--needle', 'John went to the kitchen .', '--target', 'kitchen'],
  ...['--competing', 'Sandra went to the garden .', '--question', 'Where is John ? Answer'],
];

afterAll(() => rmSync(folder, { recursive: true }));

describe('allocation', () => {
  it('finds what is planted in one prompt, by parts of its text or by tokens, without intervals', async () => {
    const model = ['allocation', '--model', planted('diff-mamba2')];
    const out = join(folder, 'allocation.safetensors');
    const { code, out: text, err } = await outcomeOf(...model, ...asked, '--json', '--out', out);
    expect(code, err).toBe(0);
    const report = JSON.parse(text);
    expect(report).toMatchObject({ examples: 1, models: [{ model: 'diff-mamba2' }] });
    const [layer] = report.models[0].layers;
    expect(layer).toMatchObject({ layer: 0, kind: 'diff_mamba2', tokens: { needle: 6, competing: 6, question: 5 } });
    expect(layer.net.norm_share.needle).toEqual({ mean: expect.closeTo(0.625, 3) });
    expect(layer.branch_1.needle_against_context).toEqual({ mean: expect.closeTo(0.3279, 3) });
    expect(layer.lambda_branch_2.norm_share.filler.mean).toBeCloseTo(0.6098, 3);
    const [share] = (await readSafetensors(out)).get('0.0.net.norm_share')?.shape ?? [];
    expect(share).toBe(6);
    const places = ['--needle', '10:16', '--competing', '3:9', '--question', '18:23'];
    const byTokens = await outcomeOf(...model, '--prompt', PROMPT, '--target', 'kitchen', ...places, '--json');
    expect(JSON.parse(byTokens.out).models).toEqual(report.models);
  });

  it('compares models on the same prompts, and takes seeds of one as one', async () => {
    const examples = ['--examples', join(planted('mamba2'), 'examples.jsonl'), '--resamples', '40', '--json'];
    const models = `${planted('mamba2')}+${planted('mamba2')},${planted('diff-mamba2')}`;
    const { code, out, err } = await outcomeOf('allocation', '--models', models, ...examples);
    expect(code, err).toBe(0);
    const { models: found, paired, intervals } = JSON.parse(out);
    // One of the two is one training run.
    expect(intervals).toEqual({ level: 0.95, over: 'prompts' });
    expect(found[0]).toMatchObject({ model: 'mamba2+mamba2', seeds: 2 });
    const [of, other] = found.map(
      (one: { layers: { net: { needle_against_context: { mean: number } } }[] }) => one.layers[0].net,
    );
    expect(paired).toMatchObject([{ models: ['mamba2+mamba2', 'diff-mamba2'], layers: [{ layer: 0 }] }]);
    expect(paired[0].layers[0].needle_against_context.mean).toBeCloseTo(
      other.needle_against_context.mean - of.needle_against_context.mean,
      10,
    );
    expect(of.needle_against_context.low).toBeLessThanOrEqual(of.needle_against_context.high);
  });

  it('says what its intervals cover', async () => {
    const examples = ['--examples', join(planted('mamba2'), 'examples.jsonl'), '--resamples', '40'];
    const seeds = `${planted('mamba2')}+${planted('mamba2')}`;
    const both = await outcomeOf('allocation', '--models', seeds, ...examples);
    expect(both.out).toContain('mean of 2 training seeds; 95 % bootstrap intervals over training seeds and prompts');
    const one = await outcomeOf('allocation', '--models', planted('mamba2'), ...examples);
    expect(one.out).toContain('95 % bootstrap intervals over prompts, not over training seeds');
    const prompt = await outcomeOf('allocation', '--model', planted('mamba2'), ...asked.slice(0, 6), '--json');
    expect(JSON.parse(prompt.out).intervals).toBeUndefined();
  });

  it('scores an answer of several tokens whole, as run --answer does', async () => {
    const prompt = ['--prompt', 'Mary went to the garden. Where is Mary? Answer:', '--device', 'cpu', '--json'];
    const whole = 'garden kitchen';
    const scored = await outcomeOf('run', '--model', 'demo-mamba2', ...prompt, '--answer', whole);
    const needle = ['--needle', 'Mary went to the garden.', '--layers', '0'];
    const { code, out, err } = await outcomeOf(
      ...['allocation', '--model', 'demo-mamba2', ...prompt, ...needle, '--target', whole],
    );
    expect(code, err).toBe(0);
    const [{ logprob }] = JSON.parse(scored.out).answers;
    expect(JSON.parse(out).models[0].answer_logprob).toEqual({ mean: logprob });
    const single = await outcomeOf('allocation', '--model', 'demo-mamba2', ...prompt, ...needle, '--target', 'garden');
    expect(JSON.parse(single.out).models[0].answer_logprob).toBeUndefined();
  });

  it('says the same in a table, a dash where a class has no tokens', async () => {
    const { code, out } = await outcomeOf('allocation', '--model', planted('mamba1'), ...asked.slice(0, 6));
    expect(code).toBe(0);
    expect(out).toContain('competing 0');
    expect(out).toMatch(/needle\/context/);
    expect(out).toContain('–');
  });

  it.each([
    [['--target', 'kitchen'], /Give --target and --needle/],
    [['--needle', 'Fred', '--target', 'kitchen'], /the prompt does not contain "Fred"/],
    [['--needle', 'went to the', '--target', 'kitchen'], /more than once; give tokens as start:end/],
    [['--needle', '9:3', '--target', 'kitchen'], /start before end/],
    [['--needle', '90:91', '--target', 'kitchen'], /is no span of the 24 tokens/],
  ])('refuses %j with a sentence', async (args, sentence) => {
    const { code, err } = await outcomeOf('allocation', '--model', planted('mamba2'), '--prompt', PROMPT, ...args);
    expect(code).toBe(2);
    expect(err).toMatch(sentence);
  });
});
