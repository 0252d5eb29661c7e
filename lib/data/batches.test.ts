import { expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { batchOf, promptBatch } from './batches';
import { mixedRows, partAt } from './mixture';
import { retrievalExample } from './retrieval';
import type { DataSource } from './source';
import { retrievalVocabulary, wordTokenizer } from './word-tokenizer';

const tokenizer = wordTokenizer(retrievalVocabulary());

it('labels every position with the next token and the answers apart', () => {
  const { B, L, tokens, labels, answers } = batchOf([
    {
      tokens: Int32Array.of(5, 6, 7, 8, 9),
      answers: [
        { start: 1, end: 3 },
        { start: 4, end: 5, label: 'last' },
      ],
    },
    { tokens: Int32Array.of(3, 2), answers: [{ start: 0, end: 1 }] },
  ]);
  expect([B, L]).toEqual([2, 5]);
  expect([...tokens]).toEqual([5, 6, 7, 8, 9, 3, 2, 0, 0, 0]);
  expect([...labels]).toEqual([6, 7, 8, 9, -1, 2, -1, -1, -1, -1]);
  // Nothing comes before token 0, so that nobody can be asked for it.
  expect([...answers]).toEqual([6, 7, -1, 9, -1, -1, -1, -1, -1, -1]);
});

it('labels what a row asks for instead of its next tokens', () => {
  const { labels, answers } = batchOf([
    { tokens: Int32Array.of(5, 6, 7), targets: Int32Array.of(-1, 8, 9), answers: [{ start: 1, end: 2 }] },
    { tokens: Int32Array.of(3, 2), answers: [] },
  ]);
  expect([...labels]).toEqual([-1, 8, 9, 2, -1, -1]);
  expect([...answers]).toEqual([-1, 8, -1, -1, -1, -1]);
});

it('points at the last token of each prompt', () => {
  const random = new Random(6);
  const examples = [3, 8].map((sentences) => retrievalExample(random, { sentences, split: 'train' }));
  const { tokens, last, targets } = promptBatch(examples, tokenizer);
  for (const row of last) expect(tokenizer.words[tokens[row]]).toBe(':');
  expect(targets.map((id) => tokenizer.words[id])).toEqual(examples.map(({ target }) => target));
});

/** Rows that say their own index. */
const counting = (base: number): DataSource => ({
  card: { name: 'counting', source: '', licence: '', sizes: {}, sha256: null },
  vocabularySize: 1e6,
  row: (_split, index) => ({ tokens: Int32Array.of(base + index), answers: [] }),
});

it('mixes sources by weight and reads each without a gap, wherever it is taken up', () => {
  const sources = [counting(0), counting(100_000)];
  const parts = [
    { source: 0, weight: 3 },
    { source: 1, weight: 1 },
  ];
  const options = { seed: 4, split: 'train' as const, count: 400 };
  const whole = mixedRows(sources, parts, { ...options, place: { row: 0, read: [7, 0] } });
  const tokensOf = (rows: readonly { tokens: Int32Array }[]) => rows.map(({ tokens }) => tokens[0]);
  const [first, second] = [0, 1].map((part) => tokensOf(whole.rows.filter((row) => row.part === part)));
  expect(first).toEqual(first.map((_, k) => 7 + k));
  expect(second).toEqual(second.map((_, k) => 100_000 + k));
  expect(Math.abs(first.length - 300)).toBeLessThan(30);
  expect(whole.place).toEqual({ row: 400, read: [7 + first.length, second.length] });

  const early = mixedRows(sources, parts, { ...options, count: 150, place: { row: 0, read: [7, 0] } });
  const late = mixedRows(sources, parts, { ...options, count: 250, place: early.place });
  expect([...early.rows, ...late.rows]).toEqual(whole.rows);
  expect(late.place).toEqual(whole.place);
  const other = Array.from({ length: 400 }, (_, index) => partAt(parts, 5, index));
  expect(other).not.toEqual(whole.rows.map(({ part }) => part));
});
