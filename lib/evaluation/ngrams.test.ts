import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { NGrams } from './ngrams';

/** Interpolated Kneser–Ney as it is written down, by counting in the rows again and again. */
function byDefinition(
  rows: readonly (readonly number[])[],
  order: number,
  V: number,
  row: readonly number[],
  at: number,
) {
  const gramsOf = (length: number) =>
    rows.flatMap((own) =>
      own.flatMap((_, end) => (end + 1 >= length ? [own.slice(end + 1 - length, end + 1).join()] : [])),
    );
  const countOf = (gram: readonly number[]): number => {
    if (gram.length === order) return gramsOf(order).filter((own) => own === gram.join()).length;
    const longer = new Set(
      gramsOf(order).map((own) =>
        own
          .split(',')
          .slice(order - gram.length - 1)
          .join(),
      ),
    );
    return [...longer].filter((own) => own.slice(own.indexOf(',') + 1) === gram.join()).length;
  };
  const tokens = Array.from({ length: V }, (_, token) => token);
  const contextsOf = (length: number): number[][] =>
    length === 0 ? [[]] : contextsOf(length - 1).flatMap((own) => tokens.map((token) => [...own, token]));
  const p = (length: number, context: readonly number[], token: number): number => {
    if (length === 0) return 1 / V;
    const shorter = p(length - 1, context.slice(1), token);
    const counts = tokens.map((one) => countOf([...context, one]));
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return shorter;
    const all = contextsOf(length).map(countOf);
    const [once, twice] = [1, 2].map((wanted) => all.filter((count) => count === wanted).length);
    const D = once > 0 ? once / (once + 2 * twice) : 0.5;
    return (Math.max(0, counts[token] - D) + D * counts.filter((count) => count > 0).length * shorter) / total;
  };
  const length = Math.min(order, at + 1);
  return p(length, row.slice(at + 1 - length, at), row[at]);
}

describe('n-grams', () => {
  const rows = [
    [0, 1, 2, 0, 1, 1, 2, 0],
    [2, 2, 0, 1, 2, 1, 0, 0],
    [1, 0, 1, 2, 0, 1],
  ];
  const asked = [2, 0, 1, 2, 3, 0, 1];

  it.each([1, 2, 3])('of order %i foretell as the definition does, tokens that never came included', (order) => {
    const model = new NGrams(rows, order, 4);
    for (let at = 0; at < asked.length; at++)
      expect(model.probability(asked, at)).toBeCloseTo(byDefinition(rows, order, 4, asked, at), 12);
  });

  it('share all probability among the tokens', () => {
    const model = new NGrams(rows, 3, 4);
    const sum = [0, 1, 2, 3].reduce((total, token) => total + model.probability([0, 1, token], 2), 0);
    expect(sum).toBeCloseTo(1, 12);
  });

  it('are refused where they cannot be counted', () => {
    expect(() => new NGrams(rows, 5, 50_277)).toThrow(/5 of 50277 tokens/);
  });

  const FOLDER = '../shared/fixtures/data/text8';

  it.skipIf(!existsSync(FOLDER))('give what another program found of a text', () => {
    const { alphabet, baseline_bits_per_char: bits } = JSON.parse(readFileSync(`${FOLDER}/stats.json`, 'utf8'));
    const read = (split: string) =>
      Uint8Array.from(gunzipSync(readFileSync(`${FOLDER}/${split}.txt.gz`)).toString('latin1'), (letter) =>
        alphabet.indexOf(letter),
      );
    const valid = read('valid');
    const model = new NGrams([read('train')], 3, alphabet.length);
    let found = 0;
    for (let at = 0; at < valid.length; at++) found -= Math.log2(model.probability(valid, at));
    expect(found / valid.length).toBeCloseTo(bits.valid.trigram_kn, 3);
  });
});
