import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './tokenizer';

const folder = join(process.cwd(), '../shared/fixtures/tokenizer');

interface Answer {
  readonly ids: number[];
  readonly offsets: number[];
  readonly offsets_utf16?: number[];
  readonly decoded: string;
  readonly decoded_with_special?: string;
}

interface Cases {
  readonly vocab_sizes: Record<string, number>;
  readonly cases: { readonly text: string; readonly tokenizers: Record<string, Answer> }[];
}

const available = existsSync(join(folder, 'cases.json'));
const { vocab_sizes: sizes, cases } = available
  ? (JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Cases)
  : { vocab_sizes: {}, cases: [] };

describe.skipIf(!available)('every string of the shared fixtures (../shared is needed)', () => {
  describe.each(Object.keys(sizes))('%s', async (name) => {
    const tokenizer = available ? await loadTokenizer(join(folder, `${name}.tokenizer.json`)) : undefined;
    it('has the vocabulary', () => expect(tokenizer?.vocabSize).toBe(sizes[name]));
    it.each(cases.map(({ text, tokenizers }) => ({ text, ...tokenizers[name] })))('$text', (answer) => {
      const encoding = tokenizer?.encode(answer.text);
      expect(encoding?.ids).toEqual(answer.ids);
      const offsets = encoding?.tokens.flatMap(({ start, end }) => [start, end]);
      expect(offsets).toEqual(answer.offsets_utf16 ?? answer.offsets);
      expect(tokenizer?.decode(answer.ids, { skipSpecial: true })).toBe(answer.decoded);
      expect(tokenizer?.decode(answer.ids)).toBe(answer.decoded_with_special ?? answer.decoded);
    });
  });
});
