import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-eval-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('eval score', () => {
  const predictions = 'lib/evaluation/testing/predictions.jsonl';

  it('prints both scores of every row in order, and of every cell', async () => {
    const { code, out } = await outcomeOf('eval', 'score', '--predictions', predictions, '--resamples', '20', '--json');
    expect(code).toBe(0);
    const { n, rows, strict_correct } = JSON.parse(out);
    expect([n, rows.length, strict_correct]).toEqual([120, 120, 60]);
    expect(rows[0]).toEqual({ strict: false, first: true });
    const shown = await outcomeOf('eval', 'score', '--predictions', predictions, '--resamples', '20');
    expect(shown.out).toContain('all 120 predictions: strict 50.00 %, first answer 50.00 %');
  });

  it('refuses what cannot be scored in one sentence', async () => {
    const bad = join(folder, 'bad.jsonl');
    writeFileSync(bad, '{"task": "qa99", "target": "a", "output": "a", "question": ""}\n');
    for (const [file, sentence] of [
      [bad, 'There is no task "qa99": tasks are qa1 to qa20.'],
      [join(folder, 'none.jsonl'), 'cannot be read (ENOENT).'],
    ]) {
      const { code, err, out } = await outcomeOf('eval', 'score', '--predictions', file);
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(sentence);
    }
    expect((await outcomeOf('eval', 'score')).code).toBe(2);
  });
});

describe('eval lm', () => {
  const data = ['--data', '{"source": "retrieval"}', '--rows', '8', '--resamples', '50', '--json'];

  it('compares models, trainings of one together, and names device, weights and tokenizer', async () => {
    const { code, out } = await outcomeOf(
      'eval',
      'lm',
      '--models',
      'both=demo-mamba2+demo-diff-mamba2,demo-mamba2',
      ...data,
    );
    expect(code).toBe(0);
    const { models, results, settings } = JSON.parse(out);
    expect(settings).toMatchObject({ data: { source: 'retrieval', seed: 0 }, split: 'test', rows: 8 });
    expect(models[0].seeds.map(({ name }: { name: string }) => name)).toEqual(['demo-mamba2', 'demo-diff-mamba2']);
    for (const { seeds } of models)
      for (const facts of seeds) {
        expect(facts).toMatchObject({ device: expect.any(String), weights: 'float32', parameters: expect.any(Number) });
        expect(facts.tokenizer).toMatch(/^[0-9a-f]{64}$/);
      }
    const [both, plain] = results.models;
    expect([both.loss.seeds, plain.loss.seeds]).toEqual([2, 1]);
    expect(plain.perplexity.mean).toBeCloseTo(Math.exp(plain.loss.mean), 10);
    expect(plain.perplexity.low).toBeLessThan(plain.perplexity.mean);
  });

  it('refuses in one sentence what cannot be run', async () => {
    const cases: [string[], string][] = [
      [['--model', 'demo-mamba2'], 'give text or data, one of both'],
      [[...data], 'Name a model with --model'],
      [['--models', 'a=demo-mamba2,a=demo-diff-mamba2', ...data], 'names "a" twice'],
      [['--model', 'demo-mamba2', '--data', '{"source": "none"}'], 'data.source'],
      [['--model', 'demo-mamba2', '--data', '{"source"'], '--data is not JSON'],
      [['--model', 'demo-mamba2', '--text', join(folder, 'none')], 'cannot be read (ENOENT)'],
    ];
    for (const [args, sentence] of cases) {
      const { code, err, out } = await outcomeOf('eval', 'lm', ...args);
      expect([code, out], err).toEqual([2, '']);
      expect(err).toContain(sentence);
    }
  });
});
