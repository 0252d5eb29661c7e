import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { openDevice } from '@/lib/engine';
import { generateEach } from '@/lib/generation';
import { createModel } from '@/lib/models';
import { loadTokenizer } from '@/lib/tokenizer';
import { type Asked, type BabilongLine, babilongEvaluation, evaluationPrompt, resamplingOf, score } from '.';
import { continued } from './answers';

const folder = mkdtempSync(join(tmpdir(), 'statescope-babilong-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PERSONS = ['Mary', 'John', 'Sandra', 'Daniel'];
const ROOMS = ['kitchen', 'garden', 'office'];
/** Published samples in small: four persons, one after the other, in a room each. */
const samples = (count: number) =>
  Array.from({ length: count }, (_, k) => ({
    input: ` ${PERSONS.map((person, p) => `${person} went to the ${ROOMS[(p + k) % 3]}.`).join(' ')}`,
    question: `Where is ${PERSONS[k % 4]}? `,
    target: ROOMS[((k % 4) + k) % 3],
  }));
for (const task of ['qa1', 'qa2']) {
  mkdirSync(join(folder, task));
  for (const length of ['0k', '1k']) writeFileSync(join(folder, task, `${length}.json`), JSON.stringify(samples(7)));
}

const book = join(folder, 'book.txt');
writeFileSync(book, gunzipSync(readFileSync('lib/data/testing/book.txt.gz')));

async function opened(path: string): Promise<Asked> {
  const checkpoint = await loadCheckpoint(path);
  const tokenizerPath = checkpoint.tokenizerPath as string;
  const tokenizer = await loadTokenizer(tokenizerPath);
  const { vocabulary } = checkpoint.config;
  return { name: 'demo', vocabulary, tokenizer, tokenizerPath, model: createModel(checkpoint) };
}

let asked: Asked;
let storyAsked: Asked;
beforeAll(async () => {
  await openDevice({ device: 'auto' });
  asked = await opened('models/demo-mamba2');
  storyAsked = await opened('models/stories-mamba2');
});

const resampling = () => resamplingOf(1, 50);
const facts = { name: 'demo', device: 'cpu', weights: 'float32', parameters: 1, sha256: '', tokenizer: null } as const;
const arm = (label: string, ...seeds: BabilongLine[][]) => ({ label, seeds: seeds.map((lines) => ({ facts, lines })) });

async function measured(settings: object) {
  const evaluation = await babilongEvaluation({ folder, tasks: ['qa1', 'qa2'], lengths: ['0k', '1k'], ...settings });
  const items = evaluation.items(asked);
  const lines = (await Promise.all(items.map((item) => evaluation.evaluateItem(asked, item)))).flat();
  return { evaluation, items, lines };
}

describe('BABILong', () => {
  it('continues prompts of different lengths together as each by itself', () => {
    const encode = (text: string) => asked.tokenizer?.encode(text).ids ?? [];
    const prompts = samples(3).map(({ input, question }, k) =>
      encode(`${input.slice(0, 40 + 25 * k)}. ${question}Answer:`),
    );
    expect(new Set(prompts.map(({ length }) => length)).size).toBe(3);
    const alone = generateEach(asked.model, prompts, { maxNewTokens: 6 });
    expect(continued(asked.model, prompts, 6, undefined)).toEqual(alone);
    const end = alone[0][2];
    const cut = alone.map((row) => (row.includes(end) ? row.slice(0, row.indexOf(end)) : row));
    expect(continued(asked.model, prompts, 6, end)).toEqual(cut);
  });

  it('scores the last samples of every task and length by both rules', async () => {
    const { items, lines } = await measured({ samples: 5, batch: 2, prompt: 'training' });
    expect(items.map((item) => item.lines)).toEqual([2, 2, 1, 2, 2, 1, 2, 2, 1, 2, 2, 1]);
    expect(lines).toHaveLength(20);
    const last = samples(7).slice(-5);
    lines.slice(0, 5).forEach((line, k) => {
      expect(line).toMatchObject({ task: 'qa1', length: '0k', sample: k, target: last[k].target, fact_depth: null });
      expect(line).toMatchObject(score(line));
      expect(line.target_token?.text.trim()).toBe(last[k].target);
    });
    expect(new Set(lines.map(({ first }) => first)).size).toBe(2);
    const one = await measured({ samples: 5, batch: 5, prompt: 'training' });
    expect(one.lines).toEqual(lines);
  });

  it('asks as the paper does: no "Answer:", and nothing at either end', () => {
    expect(evaluationPrompt(' John went. ', 'Where is John? ')).toBe(
      '<context>\nJohn went.\n</context>\n\nQuestion: Where is John?',
    );
  });

  it('tells what it read of a composed sample: where the last deciding fact stands, and its depth of those asked for', async () => {
    const evaluation = await babilongEvaluation({
      ...{ babi: 'lib/data/testing/babi', background: book, documents: 'line' },
      ...{
        tasks: ['qa1'],
        lengths: [600],
        depths: [
          [0, 0.5],
          [0.5, 1],
        ],
        samples: 3,
        batch: 2,
        max_new_tokens: 1,
      },
    });
    const items = evaluation.items(asked);
    expect(items.map(({ depth, lines }) => [depth, lines])).toEqual([
      [[0, 0.5], 2],
      [[0, 0.5], 1],
      [[0.5, 1], 2],
      [[0.5, 1], 1],
    ]);
    for (const item of items)
      for (const { fact_depth: depth, tokens } of await evaluation.evaluateItem(asked, item)) {
        expect(depth).toBeGreaterThanOrEqual(item.depth?.[0] ?? 1);
        expect(depth).toBeLessThanOrEqual(item.depth?.[1] ?? 0);
        expect(tokens).toBeGreaterThan(600);
      }
  });

  it('asks the last question of stories, by its hops, over the tokens of the row itself', async () => {
    const stories = { cue: [8, 8], noise: [0.2, 0.4], pronouns: 0.25 };
    const given = {
      ...{ stories, tasks: ['one-hop', 'two-hop'], lengths: [160], samples: 3, batch: 2, max_new_tokens: 2 },
      depths: [
        [0, 0.6],
        [0.6, 1],
      ],
    };
    const evaluation = await babilongEvaluation(given);
    const source = await openSource({ source: 'stories', length: 160, ...stories });
    const rows = Array.from({ length: 400 }, (_, k) => source.row('test', k));
    const lines: BabilongLine[] = [];
    for (const item of evaluation.items(storyAsked)) lines.push(...(await evaluation.evaluateItem(storyAsked, item)));
    expect(lines).toHaveLength(12);
    const tokenizer = storyAsked.tokenizer as NonNullable<Asked['tokenizer']>;
    for (const { task, depth, sample, tokens, question, target, fact_depth: at, output, strict, first } of lines) {
      const own = rows.filter(({ answers, classes }) => {
        const { start, label } = answers[answers.length - 1];
        const share = Math.max(...(classes?.needle ?? []).map(([from]) => from)) / start;
        return label === task && share >= (depth?.[0] ?? 1) && share < (depth?.[1] ?? 0);
      })[sample];
      const { start } = own.answers[own.answers.length - 1];
      expect(tokens).toBe(start);
      expect(tokenizer.encode(` ${target}`).ids).toEqual([own.tokens[start]]);
      expect(question).toMatch(/^Where is .* right now\? In just one word, the answer is:$/);
      expect(at).toBeGreaterThanOrEqual(depth?.[0] ?? 1);
      const logits = storyAsked.model.forward([[...own.tokens.subarray(0, start)]], { logits: [start - 1] });
      const [best] = logits.reshape([-1]).argMax().dataSync();
      expect(tokenizer.encode(` ${output.split(/[ .]/)[0]}`).ids[0]).toBe(best);
      expect(first).toBe(best === own.tokens[start]);
      expect(strict).toBe(first);
    }
    await expect(babilongEvaluation({ ...given, tasks: ['qa1'] })).rejects.toThrow('tasks are one-hop to two-hop');
    await expect(babilongEvaluation({ ...given, background: book })).rejects.toThrow('bring their own background');
    await expect(babilongEvaluation({ ...given, stories: { source: 'mqar' } })).rejects.toThrow('of the source "mqar"');
    await expect(babilongEvaluation({ ...given, lengths: ['1k'] })).rejects.toThrow('stories take tokens');
    const rare = await babilongEvaluation({ ...given, depths: [[0.999, 1]], samples: 1 });
    await expect(rare.evaluateItem(storyAsked, rare.items(storyAsked)[0])).rejects.toThrow('Of 400 stories');
  });

  it('gives intervals over seeds, the ratio of two models, and every figure', async () => {
    const { evaluation, lines } = await measured({ samples: 6 });
    const scored = (right: (line: BabilongLine) => boolean) =>
      lines.map((line) => ({ ...line, strict: right(line), first: right(line), fact_depth: (line.sample + 0.5) / 6 }));
    const results = evaluation.summarise(
      [
        arm(
          'plain',
          scored(({ sample }) => sample < 2),
          scored(({ sample }) => sample < 1),
        ),
        arm(
          'diff',
          scored(({ sample }) => sample < 4),
          scored(({ sample }) => sample < 5),
        ),
      ],
      resampling,
    );
    const [plain, diff] = results.models;
    expect(plain.cells).toHaveLength(4);
    expect(plain.cells[0]).toMatchObject({ task: 'qa1', length: '0k', n: 12, strict: { mean: 0.25, seeds: 2 } });
    expect(results.ratios?.strict[0].ratio?.mean).toBeCloseTo(3, 10);
    expect(diff.by_depth.map(({ strict }) => strict?.mean)).toEqual([1, 1, 1, 0.5, 0]);
    expect(evaluation.figures(results).map(({ name }) => name)).toEqual([
      'accuracy-strict',
      'accuracy-first',
      'ratio-strict',
      'ratio-first',
      'accuracy-by-depth',
    ]);
    const none = evaluation.summarise(
      [
        arm(
          'a',
          scored(() => false),
        ),
        arm(
          'b',
          scored(() => true),
        ),
      ],
      resampling,
    );
    expect(none.ratios?.strict[0].ratio).toBeNull();
  });

  it('names what cannot be asked', async () => {
    await expect(measured({ tasks: ['qa21'] })).rejects.toThrow('there is no task "qa21": tasks are qa1 to qa20.');
    await expect(measured({ lengths: [128] })).rejects.toThrow('published samples are called 0k, 1k, …');
    await expect(measured({ lengths: ['2k'] })).rejects.toThrow('2k.json cannot be found');
    await expect(measured({ babi: folder })).rejects.toThrow('give folder, babi or stories, one of them');
    await expect(measured({ depths: [[0, 1]] })).rejects.toThrow('published samples have their background and depths');
  });
});
