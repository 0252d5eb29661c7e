import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseTokenizer, type Tokenizer } from '@/lib/tokenizer';
import { tokenClasses } from '@/lib/vocabulary';
import { readBabi } from './babi';
import { type ComposedSentence, compose } from './babilong-compose';
import { type BabilongData, babilongSource, babilongSourceSchema } from './babilong-source';
import { NumpyGenerator } from './numpy-random';
import { SPLITS } from './source';

const TESTING = join(__dirname, 'testing');
const BABI = join(TESTING, 'babi');
const unpacked = (path: string) => gunzipSync(readFileSync(path)).toString('utf8');
const NEOX = unpacked(join('tokenizers', 'gpt-neox-20b.tokenizer.json.gz'));

/** A published sample; sentences are called as the published classes' description calls them. */
interface Sample {
  readonly task: string;
  readonly story_index: number;
  readonly seed: number;
  readonly target_tokens: number;
  readonly max_n_facts: number;
  readonly input: string;
  readonly question: string;
  readonly target: string;
  readonly facts: readonly string[];
  readonly fact_slots: readonly number[];
  readonly sentences: readonly { token_start: number; token_end: number; [field: string]: unknown }[];
  readonly supporting: readonly { fact: number; sentence: number; start: number; end: number }[];
  readonly tokens_composed: number;
}

const published = JSON.parse(unpacked(join(TESTING, 'babilong.json.gz'))) as {
  readonly background: { readonly count: number; readonly texts: Readonly<Record<string, string>> };
  readonly samples: readonly Sample[];
};

let tokenizer: Tokenizer;
let tokenizerFile: string;
beforeAll(async () => {
  tokenizer = parseTokenizer(NEOX);
  tokenizerFile = join(await mkdtemp(join(tmpdir(), 'babilong-')), 'tokenizer.json');
  await writeFile(tokenizerFile, NEOX);
});

/** A sentence as the published samples describe it. */
const described = ({ tokenStart, tokenEnd, ...rest }: ComposedSentence) => ({
  ...rest,
  token_start: tokenStart,
  token_end: tokenEnd,
});

describe('compose', () => {
  it.each(published.samples)('makes the published sample of $task with $target_tokens tokens', (sample) => {
    const { count, texts } = published.background;
    // The published classes count the question among the lines of a story.
    const questions = readBabi(BABI, sample.task, 'test').questions.filter(
      ({ facts }) => facts.length < sample.max_n_facts,
    );
    const question = questions[sample.story_index];
    const made = compose(question, {
      tokenizer,
      background: { count, text: (index) => texts[index] },
      length: sample.target_tokens,
      texts: new NumpyGenerator(sample.seed),
      places: new NumpyGenerator(sample.seed),
    });
    expect(question.question).toBe(sample.question);
    expect(question.answer).toBe(sample.target);
    expect(question.facts).toEqual(sample.facts);
    expect(made.slots).toEqual(sample.fact_slots);
    expect(made.input).toBe(sample.input);
    expect(made.sentences.map(described)).toEqual(sample.sentences);
    expect(made.tokens).toBe(sample.tokens_composed);
    const supporting = question.supporting.map((fact) => made.sentences.findIndex((one) => one.fact === fact));
    expect([...supporting].sort((a, b) => a - b)).toEqual(sample.supporting.map(({ sentence }) => sentence));
  });

  it('puts facts within the depth that is asked for', () => {
    const { count, texts } = published.background;
    const drawn = Object.values(texts);
    const [question] = readBabi(BABI, 'qa1', 'test').questions;
    for (const [from, to] of [
      [0, 0.3],
      [0.4, 0.7],
      [0.7, 1],
    ] as const) {
      const made = compose(question, {
        tokenizer,
        background: { count, text: (index) => drawn[index % drawn.length] },
        length: 600,
        texts: new NumpyGenerator(1),
        places: new NumpyGenerator(2),
        depth: [from, to],
      });
      expect(made.tokens).toBe(600);
      for (const { kind, tokenStart, tokenEnd } of made.sentences) {
        if (kind !== 'fact') continue;
        expect(tokenStart).toBeGreaterThanOrEqual(600 * from);
        expect(tokenEnd).toBeLessThanOrEqual(600 * to);
      }
    }
  });
});

describe('the source of BABILong', () => {
  const fields = { babi: BABI, tasks: ['qa1'], background: join(TESTING, 'book.txt.gz'), documents: 'paragraph' };
  const open = (more: object = {}): Promise<BabilongData> =>
    babilongSource(babilongSourceSchema.parse({ ...fields, tokenizer: tokenizerFile, length: 300, ...more }));

  it('gives every token of the prompt its class', async () => {
    const source = await open();
    for (const split of SPLITS)
      for (let index = 0; index < 4; index++) {
        const { tokens, answers, classes } = source.row(split, index);
        const { target, question, facts, sentences } = source.item(split, index);
        const [{ start, end, label }] = answers;
        expect(label).toBe('qa1');
        expect(tokenizer.decode(tokens.subarray(start, end))).toBe(` ${target}`);
        const [needle] = classes?.needle ?? [];
        const of = tokenClasses(start, {
          needle: [needle[0], needle[1]],
          competing: classes?.competing?.map(([from, to]) => [from, to] as const),
          question: classes?.question?.map(([from, to]) => [from, to] as const),
        });
        const textOf = (name: string) => tokenizer.decode([...tokens].filter((_, t) => of[t] === name));
        const supporting = sentences.find((sentence) => sentence.supporting)?.fact ?? -1;
        expect(textOf('needle').trim()).toBe(facts[supporting]);
        expect(textOf('question')).toBe(`Question: ${question} Answer`);
        expect(textOf('self')).toBe(':');
        for (const fact of facts.filter((_, k) => k !== supporting))
          if (!fact.includes(target)) expect(textOf('competing')).toContain(fact);
        const said = textOf('filler').match(/\b(bathroom|bedroom|garden|hallway|kitchen|office)\b/g) ?? [];
        expect(said.filter((room) => room !== target)).toEqual([]);
        expect(of.filter((name) => name === 'filler').length).toBeGreaterThan(100);
      }
  });

  it('is a pure function of split and index, of the length that is asked for', async () => {
    const [one, other] = await Promise.all([open({ length: [120, 200] }), open({ length: [120, 200] })]);
    const lengths = new Set<number>();
    for (const split of SPLITS)
      for (const index of [9, 0, 3]) {
        expect(one.row(split, index)).toEqual(other.row(split, index));
        lengths.add(one.item(split, index).tokens);
      }
    expect([...lengths].sort()).toEqual([120, 200]);
    expect((await open({ seed: 1 })).row('train', 0)).not.toEqual((await open()).row('train', 0));
    expect(one.card.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(one.card.sha256).toBe(other.card.sha256);
  });

  it('shares neither questions nor background between the splits', async () => {
    const source = await open();
    const seen = SPLITS.map((split) => {
      const items = Array.from({ length: 25 }, (_, index) => source.item(split, index));
      return {
        asked: new Set(items.map(({ facts, question }) => [...facts, question].join('\n'))),
        // The last sentence of a sample is cut; short ones may be said twice in a book.
        noise: new Set(
          items.flatMap(({ input, sentences }) =>
            sentences
              .slice(0, -1)
              .filter(({ kind }) => kind === 'noise')
              .map(({ start, end }) => input.slice(start, end))
              .filter((text) => text.length > 80),
          ),
        ),
      };
    });
    for (const field of ['asked', 'noise'] as const)
      for (const [a, b] of [
        [0, 1],
        [0, 2],
        [1, 2],
      ])
        expect([...seen[a][field]].filter((text) => seen[b][field].has(text))).toEqual([]);
    expect(seen.every(({ noise }) => noise.size > 20)).toBe(true);
  });

  it('finds a place within the depth for every question that has one', async () => {
    const source = await open({ length: 200, depth: [0.3, 0.8] });
    for (let index = 0; index < 30; index++)
      for (const { kind, tokenStart, tokenEnd } of source.item('train', index).sentences) {
        if (kind !== 'fact') continue;
        expect(tokenStart).toBeGreaterThanOrEqual(60);
        expect(tokenEnd).toBeLessThanOrEqual(160);
      }
    const narrow = await open({ length: 200, depth: [0.5, 0.55] });
    expect(() => narrow.row('train', 0)).toThrow('make the length longer or the depth wider');
  });

  it('reads the compressed tokenizer that is bundled', async () => {
    const path = join('tokenizers', 'gpt-neox-20b.tokenizer.json.gz');
    const source = await babilongSource(babilongSourceSchema.parse({ babi: BABI, tasks: ['qa1'], tokenizer: path }));
    expect(source.tokenizer).toEqual(JSON.parse(NEOX));
  });

  it('tells the facts alone without a background', async () => {
    const source = await open({ background: undefined, length: undefined });
    const { input, facts } = source.item('test', 3);
    expect(input).toBe(facts.join(' '));
  });

  it.each([
    [{ length: undefined }, 'background and length together'],
    [{ length: 4 }, 'has facts of at most 4 tokens'],
    [{ documents: 'file' }, 'none of them falls to'],
    [{ background: '/nowhere' }, '/nowhere cannot be read (ENOENT)'],
    [{ tasks: ['qa7'] }, 'holds no qa7_…_train.txt'],
  ])('says what is wrong with %j', async (more, message) => {
    await expect(open(more).then((source) => source.row('train', 0))).rejects.toThrow(message);
  });
});
