import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcomeOf } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'statescope-data-'));
afterAll(() => rmSync(folder, { recursive: true }));

function config(value: unknown): string {
  const path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const data = (value: unknown, ...args: string[]) => outcomeOf('data', '--config', config(value), ...args);

describe('data', () => {
  it('prints the card, and rows with needle, question and answer marked', async () => {
    const { code, out } = await data({ source: 'retrieval', sentences: [3, 3] }, '--split', 'test', '--rows', '1');
    expect(code).toBe(0);
    expect(out).toContain('retrieval\n  source      generated');
    expect(out).toMatch(/sizes {7}train without end; validation without end; test without end/);
    expect(out).toContain('sha256      none: the rows are generated');
    expect(out).toMatch(
      /test 0\n.*⟨needle: \w+ .*\.⟩.*⟨question: Where is .*⟩⟨self: :⟩ ⟨answer (person|object): \w+⟩\n/s,
    );
  });

  it('prints ids where there are no words, with what is said at a token behind it', async () => {
    const mad = { source: 'mad', task: 'memorization', vocabulary: 8, length: 4 };
    expect((await data(mad, '--rows', '1')).out).toMatch(/train 0\n[012] 7⟨says [3456]⟩ [012] 7⟨says [3456]⟩\n/);
    const mqar = { source: 'mqar', pairs: 2, queries: 1, length: 10 };
    expect((await data(mqar, '--rows', '1')).out).toMatch(/⟨competing: \d+ \d+⟩.*⟨self: \d+⟩ ⟨answer gap \d: \d+⟩/);
  });

  it('gives the same as JSON, for every source of a training configuration', async () => {
    const mixture = {
      model: {},
      data: [{ source: 'mqar', length: 40, weight: 3, loss: { answers: 1, text: 0 } }, { source: 'retrieval' }],
    };
    const { out } = await data(mixture, '--rows', '2', '--from', '5', '--json');
    const [mqar, retrieval] = JSON.parse(out);
    expect(mqar.card).toMatchObject({ name: 'mqar', sha256: null });
    expect(mqar.rows.map(({ index }: { index: number }) => index)).toEqual([5, 6]);
    expect(mqar.rows[0].tokens.length).toBe(40);
    expect(mqar.rows[0].runs.at(-1).end).toBe(40);
    expect(retrieval.rows[0].runs[0].text).toMatch(/^\w+ /);
  });

  it.each([
    [{ source: 'none' }, 'The data cannot be used: field source'],
    [{ source: 'mqar', pairs: 99 }, '99 pairs need as many keys'],
    [{ data: ['mqar'] }, 'The data cannot be used'],
  ])('says what is wrong with %j', async (value, message) => {
    const { code, err } = await data(value);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
