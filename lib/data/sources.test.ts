import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { splitOf } from './retrieval';
import { SPLITS } from './source';
import { openSource, SOURCE_NAMES, sourceSchema } from './sources';
import { ROOMS } from './vocabulary';
import { retrievalVocabulary } from './word-tokenizer';

describe('openSource', () => {
  it.each([
    [{ source: 'nothing' }, 'source'],
    [{ source: 'retrieval', sentences: [5, 2] }, 'sentences'],
    [{ source: 'retrieval', sentence: [2, 5] }, 'sentence'],
    [[], 'The data cannot be used'],
  ])('says what is wrong with %j', async (config, where) => {
    await expect(openSource(config)).rejects.toThrow(InputError);
    await expect(openSource(config)).rejects.toThrow(where);
  });

  it('fills in what is left out, once and for all', () => {
    const config = sourceSchema.parse({ source: 'retrieval', questions: 2 });
    expect(config).toEqual({ source: 'retrieval', seed: 0, sentences: [2, 7], questions: 2 });
    expect(sourceSchema.parse(config)).toEqual(config);
  });
});

describe('the retrieval source', () => {
  const words = retrievalVocabulary();
  const textOf = (tokens: Int32Array) => Array.from(tokens, (id) => words[id]).join(' ');

  it('is a pure function of split and index', async () => {
    const [one, other] = await Promise.all([openSource({ source: 'retrieval' }), openSource({ source: 'retrieval' })]);
    const seen = SPLITS.flatMap((split) => [0, 1, 2, 3].map((index) => one.row(split, index)));
    const again = [...SPLITS].reverse().flatMap((split) => [3, 2, 1, 0].map((index) => other.row(split, index)));
    expect(again.reverse()).toEqual(seen);
    expect(new Set(seen.map(({ tokens }) => textOf(tokens))).size).toBe(seen.length);
    expect((await openSource({ source: 'retrieval', seed: 1 })).row('train', 0)).not.toEqual(seen[0]);
  });

  it('marks rooms as answers, with what was asked for', async () => {
    const source = await openSource({ source: 'retrieval', sentences: [6, 6], questions: 4 });
    for (const split of SPLITS)
      for (let index = 0; index < 20; index++) {
        const { tokens, answers } = source.row(split, index);
        expect(answers.length).toBeGreaterThan(0);
        for (const { start, end, label } of answers) {
          expect(end).toBe(start + 1);
          expect(ROOMS).toContain(words[tokens[start]]);
          const asked = / Where is (the )?\w+ \? Answer : \w+$/.exec(textOf(tokens.subarray(0, end)));
          expect(label).toBe(asked?.[1] ? 'object' : 'person');
        }
      }
  });

  it('keeps the splits apart and names the classes of held-out tokens', async () => {
    const source = await openSource({ source: 'retrieval', sentences: [4, 4] });
    for (const split of SPLITS)
      for (let index = 0; index < 20; index++) {
        const { tokens, answers, classes } = source.row(split, index);
        const story = textOf(tokens)
          .split(' Where is')[0]
          .replaceAll(/ (\W+)/g, '$1');
        expect(splitOf(story)).toBe(split);
        if (split === 'train') continue;
        const [[start, end]] = classes?.needle ?? [];
        expect(textOf(tokens.subarray(start, end))).toContain(words[tokens[answers[0].start]]);
        const [[from, to]] = classes?.question ?? [];
        expect(textOf(tokens.subarray(from, to))).toMatch(/^Where is .* Answer :$/);
      }
  });
});

describe('docs/data.md', () => {
  const text = readFileSync(join(process.cwd(), 'docs/data.md'), 'utf8');

  it('lists every source', () => {
    const listed = [...text.matchAll(/^\| `(\w+)` \| [^|]+ \|$/gm)].map(([, name]) => name);
    expect([...listed].sort()).toEqual([...SOURCE_NAMES].sort());
  });

  it.each([...text.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json)))(
    'shows what can be used: %j',
    (config) => {
      expect(sourceSchema.safeParse(config).error).toBeUndefined();
    },
  );
});
