import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer } from './tokenizer';

const folder = join(process.cwd(), 'lib/tokenizer/testing');

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

const unpacked = (name: string) => gunzipSync(readFileSync(join(folder, `${name}.gz`)));
const { vocab_sizes: sizes, cases } = JSON.parse(unpacked('cases.json').toString()) as Cases;

const scratch = mkdtempSync(join(tmpdir(), 'statescope-tokenizer-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The file of a tokenizer; GPT-NeoX's, of which only a packed copy is kept, unpacked. */
function fileOf(name: string): string {
  const file = `${name}.tokenizer.json`;
  if (existsSync(join(folder, file))) return join(folder, file);
  writeFileSync(join(scratch, file), unpacked(file));
  return join(scratch, file);
}

describe('every string of the reference', () => {
  describe.each(Object.keys(sizes))('%s', async (name) => {
    const tokenizer = await loadTokenizer(fileOf(name));
    it('has the vocabulary', () => expect(tokenizer.vocabSize).toBe(sizes[name]));
    it.each(cases.map(({ text, tokenizers }) => ({ text, ...tokenizers[name] })))('$text', (answer) => {
      const encoding = tokenizer.encode(answer.text);
      expect(encoding.ids).toEqual(answer.ids);
      const offsets = encoding.tokens.flatMap(({ start, end }) => [start, end]);
      expect(offsets).toEqual(answer.offsets_utf16 ?? answer.offsets);
      expect(tokenizer.decode(answer.ids, { skipSpecial: true })).toBe(answer.decoded);
      expect(tokenizer.decode(answer.ids)).toBe(answer.decoded_with_special ?? answer.decoded);
    });
  });
});
