import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { BUNDLED, bundledTokenizer, tokenizerFor } from './choice';
import type { TokenizerDefinition } from './definition';
import { loadTokenizer, parseTokenizer, tokenizerJson } from './tokenizer';

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

/** The file of a tokenizer; GPT-NeoX's is the bundled one. */
const fileOf = (name: string): string =>
  name === 'neox-20b' ? bundledTokenizer(process.cwd()) : join(folder, `${name}.tokenizer.json`);

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

/** Writes what a tokenizer.json holds as vocab.json, merges.txt and tokenizer_config.json. */
function inTwoFiles(name: string, config: object): string {
  const bytes = readFileSync(fileOf(name));
  const text = name === 'neox-20b' ? gunzipSync(bytes) : bytes;
  const { model, added_tokens: added } = JSON.parse(text.toString()) as TokenizerDefinition;
  const target = join(scratch, name);
  mkdirSync(target);
  const merges = model.merges as (string | string[])[];
  const write = (file: string, content: string) => writeFileSync(join(target, file), content);
  write('vocab.json', JSON.stringify(model.vocab));
  write('merges.txt', `#version: 0.2\n${merges.map((pair) => [pair].flat().join(' ')).join('\n')}\n`);
  const decoder = Object.fromEntries(added.map(({ id, ...rest }) => [id, rest]));
  write('tokenizer_config.json', JSON.stringify({ ...config, added_tokens_decoder: decoder }));
  return target;
}

describe('vocab.json and merges.txt', () => {
  it.each([
    ['bpe_small', {}],
    ['neox-20b', { tokenizer_class: 'GPTNeoXTokenizer' }],
  ])('are read as the tokenizer.json that holds the same: %s', async (name, config) => {
    const target = inTwoFiles(name, config);
    expect(tokenizerFor(target, 100, process.cwd())).toMatchObject({
      name: 'vocab.json + merges.txt',
      source: 'model',
    });
    const tokenizer = await loadTokenizer(join(target, 'vocab.json'));
    expect(tokenizer.vocabSize).toBe(sizes[name]);
    const joined = parseTokenizer(await tokenizerJson(join(target, 'vocab.json')));
    expect(joined.encode(cases[0].text)).toEqual(tokenizer.encode(cases[0].text));
    for (const { text, tokenizers } of cases) {
      expect(tokenizer.encode(text).ids, text).toEqual(tokenizers[name].ids);
      expect(tokenizer.decode(tokenizers[name].ids, { skipSpecial: true })).toBe(tokenizers[name].decoded);
    }
  });

  it('give special tokens their roles, and say what is not a pair', async () => {
    const target = join(scratch, 'roles');
    mkdirSync(target);
    const write = (file: string, content: string) => writeFileSync(join(target, file), content);
    write('vocab.json', JSON.stringify({ a: 0, b: 1, ab: 2, '<|endoftext|>': 3 }));
    write('merges.txt', 'a b\r\n');
    write('added_tokens.json', JSON.stringify({ '<pad>': 4 }));
    write('special_tokens_map.json', JSON.stringify({ pad_token: { content: '<pad>', lstrip: false } }));
    const tokenizer = await loadTokenizer(join(target, 'vocab.json'));
    expect(tokenizer.encode('ab<|endoftext|>ba<pad>').ids).toEqual([2, 3, 1, 0, 4]);
    expect(tokenizer.decode([2, 3, 4], { skipSpecial: true })).toBe('ab');
    write('merges.txt', 'a b c\n');
    await expect(loadTokenizer(join(target, 'vocab.json'))).rejects.toThrow(/merges.txt has the line "a b c"/);
  });
});

describe('the bundled tokenizer', () => {
  it('stands in for a missing one where the vocabulary is GPT-NeoX’s, padded or not', async () => {
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    const found = (rows: number) => tokenizerFor(empty, rows, process.cwd());
    expect([50253, 50433, 1000].map(found)).toEqual([undefined, undefined, undefined]);
    for (const rows of [50254, 50277, 50280, 50288, 50432])
      expect(found(rows)).toMatchObject({ name: 'gpt-neox-20b', source: 'fallback' });
    const tokenizer = await loadTokenizer(bundledTokenizer(process.cwd()));
    expect(tokenizer.vocabulary()).toHaveLength(BUNDLED.ids);
  });
});
