import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
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
        const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);
        expect(facts.tokenizer).toEqual({ name: 'tokenizer.json', source: 'model', sha256 });
      }
    const [both, plain] = results.models;
    expect([both.loss.seeds, plain.loss.seeds]).toEqual([2, 1]);
    expect(plain.perplexity.mean).toBeCloseTo(Math.exp(plain.loss.mean), 10);
    expect(plain.perplexity.low).toBeLessThan(plain.perplexity.mean);
  });

  it('reads text with another tokenizer where one is chosen', async () => {
    const text = join(folder, 'short.txt');
    writeFileSync(text, 'Mary entered the kitchen. John entered the garden.');
    const args = [
      'eval',
      'lm',
      '--model',
      'demo-mamba2',
      '--text',
      text,
      '--tokenizer',
      'experiments/specimens/tokenizer.json',
    ];
    const { code, err } = await outcomeOf(...args, '--json');
    expect([code, err]).toEqual([2, expect.stringContaining('outside the vocabulary')]);
    const own = await outcomeOf(...args.slice(0, -2), '--tokenizer', 'demo-diff-mamba2', '--json');
    expect(JSON.parse(own.out).models[0].seeds[0].tokenizer).toMatchObject({
      name: 'demo-diff-mamba2',
      source: 'chosen',
    });
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

describe('evaluations of tasks', () => {
  const pair = ['--models', 'a=demo-mamba2,b=demo-diff-mamba2', '--resamples', '20'];
  const json = async (...args: string[]) => {
    const { code, out, err } = await outcomeOf('eval', ...args, ...pair, '--json');
    expect(code, err).toBe(0);
    return JSON.parse(out);
  };
  const babi = ['--babi', 'lib/data/testing/babi', '--tasks', 'qa1', '--samples', '2', '--max-new-tokens', '3'];
  const book = join(folder, 'book.txt');
  const text = gunzipSync(readFileSync('lib/data/testing/book.txt.gz')).toString();
  writeFileSync(book, text.replaceAll(/\n+/g, '\n'));
  const background = ['--background', book, '--documents', 'line'];

  it('babilong composes samples of a length and depth, and keeps figures of both scores', async () => {
    const out = join(folder, 'babilong');
    const { results } = await json(
      'babilong',
      ...babi,
      ...background,
      '--lengths',
      '512',
      '--depths',
      '2',
      '--out',
      out,
    );
    expect(results.models[0].cells).toMatchObject([{ task: 'qa1', length: 512, n: 4 }]);
    const lines = readFileSync(join(out, 'predictions.jsonl'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(8);
    for (const line of lines.map((one) => JSON.parse(one))) {
      expect(line.target_token).toMatchObject({ id: expect.any(Number), text: expect.any(String) });
      expect(line.fact_depth).toBeGreaterThanOrEqual(line.depth[0] - 0.01);
      expect(line.fact_depth).toBeLessThanOrEqual(line.depth[1]);
    }
    const drawn = readdirSync(out).filter((name) => name.endsWith('.svg'));
    expect(drawn.sort()).toEqual(
      ['accuracy-by-depth', 'accuracy-first', 'accuracy-strict', 'ratio-first', 'ratio-strict'].map(
        (name) => `${name}.svg`,
      ),
    );
    const alone = await json('babilong', ...babi, '--lengths', '0k');
    expect(alone.results.models[0].cells).toMatchObject([{ length: '0k', n: 2 }]);
  });

  it('mqar, mad and cost give their numbers', async () => {
    const mqar = await json(
      'mqar',
      '--data',
      '{"keys": 8, "values": 8}',
      '--lengths',
      '24',
      '--pairs',
      '2',
      '--rows',
      '3',
    );
    expect(mqar.results.models[1].conditions[0]).toMatchObject({ answers: 6, accuracy: { n: 3 } });
    const mad = await json('mad', '--tasks', 'selective-copying', '--rows', '2');
    expect(mad.results.models[0].conditions[0].macro_accuracy.mean).toBeLessThan(1);
    const cost = await json('cost', '--lengths', '8', '--batches', '1,2', '--runs', '1', '--new-tokens', '1');
    expect(cost.results.ratios).toHaveLength(2);
    const shown = await outcomeOf('eval', 'mad', '--tasks', 'selective-copying', '--rows', '2', ...pair);
    expect(shown.out).toContain('macro accuracy %');
  });

  it.each([
    [['babilong', '--lengths', '0k'], 'give folder, babi or stories, one of them'],
    [['babilong', ...babi, '--lengths', '64'], 'facts alone have the length 0k'],
    [['babilong', ...babi, ...background, '--lengths', '1k'], 'composed samples take tokens'],
    [['babilong', ...babi, '--lengths', '0k', '--depths', '2'], 'depths need a background'],
    [['babilong', '--folder', 'none', '--lengths', '0k'], 'cannot be found'],
    [['mqar', '--data', '{"pears": 3}'], 'pears'],
    [['mqar', '--lengths', '0'], 'lengths'],
    [['mad', '--tasks', 'none'], '--tasks takes'],
    [['mad', '--tasks', 'memorization'], 'knows 73'],
    [['cost', '--batches', '0'], 'batches'],
  ])('refuse %j in one sentence', async (args, sentence) => {
    const { code, err, out } = await outcomeOf('eval', ...args, ...pair);
    expect([code, out], err).toEqual([2, '']);
    expect(err).toContain(sentence);
    expect(err.trim().split('\n').at(-1)).toMatch(/^statescope: .*\.$/);
  });
});
