import { describe, expect, it } from 'vitest';
import { gapLabel } from './mqar';
import { SPLITS } from './source';
import { openSource } from './sources';

const rows = async (fields: object, count = 40) => {
  const source = await openSource({ source: 'mqar', ...fields });
  return SPLITS.flatMap((split) =>
    Array.from({ length: count }, (_, index) => ({ split, ...source.row(split, index) })),
  );
};

describe('the source of multi-query recall', () => {
  it('answers with the value of the pair, as far away as the label says and the gap allows', async () => {
    for (const { tokens, answers } of await rows({ pairs: 6, length: 128, gap: [4, 60], noise: 9 })) {
      expect(tokens.length).toBe(128);
      expect(answers.length).toBe(6);
      const asked = answers.map(({ start }) => tokens[start - 1]);
      expect([...asked].sort()).toEqual([0, 2, 4, 6, 8, 10].map((t) => tokens[t]).sort());
      for (const { start, end, label } of answers) {
        expect(end).toBe(start + 1);
        const key = tokens.indexOf(tokens[start - 1]);
        expect(key).toBeLessThan(12);
        expect(tokens[start]).toBe(tokens[key + 1]);
        const gap = start - 1 - (key + 2);
        expect(gap).toBeGreaterThanOrEqual(4);
        expect(gap).toBeLessThanOrEqual(60);
        expect(label).toBe(gapLabel(gap));
      }
    }
  });

  it('keeps keys, values and what stands between them apart', async () => {
    const [{ tokens, answers }] = await rows({ pairs: 3, keys: 5, values: 7, noise: 4, length: 64 });
    const isAsked = new Set(answers.flatMap(({ start }) => [start - 1, start]));
    tokens.forEach((token, t) => {
      const [least, most] = t >= 6 && !isAsked.has(t) ? [13, 16] : t % 2 === 0 ? [1, 5] : [6, 12];
      expect(token).toBeGreaterThanOrEqual(least);
      expect(token).toBeLessThanOrEqual(most);
    });
    const [{ tokens: blank }] = await rows({ pairs: 3, queries: 1, length: 64 });
    expect(blank.filter((token) => token === 0).length).toBe(64 - 8);
  });

  it('names the classes of the last answer', async () => {
    for (const { tokens, answers, classes } of await rows({ pairs: 4, queries: 2 })) {
      const { start } = answers[answers.length - 1];
      const [[from, to]] = classes?.needle ?? [];
      expect([...tokens.subarray(from, to)]).toEqual([tokens[start - 1], tokens[start]]);
      expect(classes?.question).toEqual([[start - 1, start]]);
      expect(classes?.competing?.length).toBe(3);
      expect(classes?.competing).not.toContainEqual([from, to]);
    }
  });

  it('asks as often over long gaps as over short ones', async () => {
    const labels = (await rows({ pairs: 1, length: 1024 }, 400)).map(({ answers }) => answers[0].label);
    for (const label of ['gap 8', 'gap 32', 'gap 128'])
      expect(labels.filter((each) => each === label).length / labels.length).toBeCloseTo(1 / 9, 1);
  });

  it('is a pure function whose splits share no row', async () => {
    const all = await rows({ pairs: 2, keys: 3, values: 3, length: 8 }, 150);
    expect(all).toEqual(await rows({ pairs: 2, keys: 3, values: 3, length: 8 }, 150));
    const seen = (split: string) =>
      new Set(all.filter((row) => row.split === split).map(({ tokens }) => String(tokens)));
    const [train, validation, test] = SPLITS.map(seen);
    expect([...validation].filter((row) => train.has(row) || test.has(row))).toEqual([]);
    expect([...test].filter((row) => train.has(row))).toEqual([]);
    expect(train.size).toBeGreaterThan(20);
  });

  it.each([
    [{ pairs: 65 }, '65 pairs need as many keys, and there are 64'],
    [{ pairs: 2, queries: 3 }, '3 questions need as many pairs'],
    [{ pairs: 8, length: 20 }, 'a row of 20 tokens leaves a pair 2 places for 8 questions; make the row longer.'],
    [{ gap: [200, 210], pairs: 8 }, 'with a gap from 200 to 210'],
    [{ gap: [5, 2] }, 'gap'],
  ])('says why %j cannot be drawn', async (fields, message) => {
    await expect(openSource({ source: 'mqar', ...fields })).rejects.toThrow(message);
  });
});
