import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '@/lib/input-error';
import { loadTokenizer, parseTokenizer, type Tokenizer } from './tokenizer';

const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
let next = 256;
/** The byte-level alphabet in the order of the bytes, as GPT-2 published it. */
const ALPHABET = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));

interface Change {
  readonly added?: object[];
  readonly normalizer?: object;
  readonly pre?: object;
  readonly post?: object;
}

/** A byte-level tokenizer with all bytes, " t" = 256 and " th" = 257, and two special tokens. */
function byteLevel({ added = [], normalizer, pre = {}, post }: Change = {}): Tokenizer {
  const vocab = Object.fromEntries([...ALPHABET, 'Ġt', 'Ġth'].map((token, id) => [token, id]));
  const definition = {
    version: '1.0',
    added_tokens: [{ id: 258, content: '<s>', special: true }, { id: 259, content: '</s>', special: true }, ...added],
    normalizer: normalizer ?? null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, ...pre },
    post_processor: post ?? null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: ['Ġ t', 'Ġt h'] },
  };
  return parseTokenizer(JSON.stringify(definition));
}

function wordLevel(words: string[], change: object = {}): Tokenizer {
  const vocab = Object.fromEntries(['[UNK]', ...words].map((word, id) => [word, id]));
  const definition = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
    ...change,
  };
  return parseTokenizer(JSON.stringify(definition));
}

const spans = (tokenizer: Tokenizer, text: string) =>
  tokenizer.encode(text).tokens.map(({ start, end }) => text.slice(start, end));
const ranges = (tokenizer: Tokenizer, text: string) =>
  tokenizer.encode(text).tokens.map(({ start, end }) => [start, end]);

describe('byte level', () => {
  const plain = byteLevel();

  it('gives each byte token the whole character, in UTF-16 units', () => {
    expect(ranges(plain, 'a😀é')).toEqual([
      [0, 1],
      [1, 3],
      [1, 3],
      [1, 3],
      [1, 3],
      [3, 4],
      [3, 4],
    ]);
    expect(plain.encode(' the').ids).toEqual([257, 101]);
    expect(spans(plain, ' the')).toEqual([' th', 'e']);
  });

  it('shows tokens for the eye and pieces of characters as bytes', () => {
    expect(plain.encode(' thé').tokens.map(({ text }) => text)).toEqual([' th', '<0xC3>', '<0xA9>']);
    expect(plain.tokenText(10)).toBe('\n');
    expect(plain.tokenText(258)).toBe('<s>');
    expect(plain.tokenText(9999)).toBe('');
    expect(plain.vocabulary()).toHaveLength(260);
    expect(plain.vocabulary()[257]).toBe(' th');
    expect(plain.vocabSize).toBe(260);
  });

  it('decodes what it encodes, and its tokens cover the text in order', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { ids, tokens } = plain.encode(text);
        expect(plain.decode(ids)).toBe(text);
        let covered = 0;
        for (const { start, end } of tokens) {
          expect(start).toBeLessThanOrEqual(covered);
          expect(end).toBeGreaterThanOrEqual(covered);
          covered = end;
        }
        expect(covered).toBe(text.length);
      }),
      { numRuns: 300 },
    );
  });

  it('passes over ids that no token has, and special ones where asked', () => {
    expect(plain.decode([])).toBe('');
    expect(plain.decode([97, 50279, 258, 98])).toBe('a<s>b');
    expect(plain.decode([97, 258, 98], { skipSpecial: true })).toBe('ab');
    expect(plain.decode([258], { skipSpecial: true })).toBe('');
  });

  it('lets an added prefix space point at the first character', () => {
    const prefixed = byteLevel({ pre: { add_prefix_space: true } });
    expect(prefixed.encode('the').ids).toEqual([257, 101]);
    expect(spans(prefixed, 'the')).toEqual(['th', 'e']);
    expect(ranges(prefixed, 'x')).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('trims spaces off the offsets where the post-processor says so', () => {
    const trimming = byteLevel({ post: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true } });
    expect(spans(trimming, 'a the')).toEqual(['a', 'th', 'e']);
    const prefixing = byteLevel({ pre: { add_prefix_space: true }, post: { type: 'ByteLevel', trim_offsets: true } });
    expect(spans(prefixing, 'the the')).toEqual(['th', 'e', 'th', 'e']);
    const keeping = byteLevel({ post: { type: 'ByteLevel', trim_offsets: false } });
    expect(spans(keeping, 'a the')).toEqual(['a', ' th', 'e']);
  });

  it('composes before it tokenizes and points at the first of the composed characters', () => {
    const composing = byteLevel({ normalizer: { type: 'NFC' } });
    expect(composing.encode('e\u0301!').ids).toEqual([0xc3, 0xa9, 33]);
    expect(ranges(composing, 'e\u0301!')).toEqual([
      [0, 1],
      [0, 1],
      [2, 3],
    ]);
    const decomposing = byteLevel({ normalizer: { type: 'NFD' } });
    expect(ranges(decomposing, '\u00e9!')).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
      [1, 2],
    ]);
  });

  it('leaves out accents and prepends with the origins of the Python package', () => {
    const stripping = byteLevel({
      normalizer: { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }] },
    });
    expect(stripping.encode('xe\u0301y').ids).toEqual([120, 101, 121]);
    expect(ranges(stripping, 'xe\u0301y')).toEqual([
      [0, 1],
      [1, 2],
      [3, 4],
    ]);
    const prepending = byteLevel({ normalizer: { type: 'Prepend', prepend: '_' } });
    expect(ranges(prepending, 'ab')).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
    ]);
  });

  it('adds a template around the text, with empty ranges', () => {
    const template = byteLevel({
      post: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { SpecialToken: { id: '</s>', type_id: 0 } },
        ],
        pair: [],
        special_tokens: {
          '<s>': { id: '<s>', ids: [258], tokens: ['<s>'] },
          '</s>': { id: '</s>', ids: [259], tokens: ['</s>'] },
        },
      },
    });
    expect(template.encode('ab').ids).toEqual([258, 97, 98, 259]);
    expect(ranges(template, 'ab')).toEqual([
      [0, 0],
      [0, 1],
      [1, 2],
      [0, 0],
    ]);
    expect(template.encode('').ids).toEqual([258, 259]);
  });
});

describe('added tokens', () => {
  const tokenizer = byteLevel({
    added: [
      { id: 260, content: 'cat', single_word: true },
      { id: 261, content: '<m>', lstrip: true, rstrip: true },
      { id: 262, content: '<m><m>' },
      { id: 263, content: 'É', normalized: true },
    ],
    normalizer: { type: 'NFC' },
  });
  const found = (text: string) =>
    tokenizer
      .encode(text)
      .tokens.filter(({ id }) => id >= 260)
      .map(({ id, start, end }) => [id, start, end]);

  it.each([
    ['a cat', [[260, 2, 5]]],
    ['cats', []],
    ['éscat', []],
    ['cat\u200d', []],
    ['(cat)', [[260, 1, 4]]],
    ['a  <m> b', [[261, 1, 7]]],
    ['<m><m>', [[262, 0, 6]]],
    [
      '<m> <m>',
      [
        [261, 0, 4],
        [261, 4, 7],
      ],
    ],
    ['xE\u0301', [[263, 1, 2]]],
  ])('%j', (text, expected) => expect(found(text)).toEqual(expected));
});

describe('word level', () => {
  const tokenizer = wordLevel(['the', 'caf\u00e9', 'σας', '?'], {
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
  });

  it('knows words beyond ASCII and gives unknown ones the unknown token', () => {
    expect(tokenizer.encode('The cafe\u0301 zebra?').ids).toEqual([1, 2, 0, 4]);
    expect(spans(tokenizer, 'The cafe\u0301 zebra?')).toEqual(['The', 'cafe', 'zebra', '?']);
    expect(tokenizer.decode([1, 99, 2])).toBe('the caf\u00e9');
  });

  it('lowers a final sigma like any other, as Rust does', () => {
    expect(tokenizer.encode('ΣΑΣ').ids).toEqual([0]);
    expect(tokenizer.encode('ΣΑς').ids).toEqual([3]);
  });

  it('keeps offsets after a character whose lower case is longer', () => {
    expect(spans(tokenizer, '\u0130x the')).toEqual(['\u0130x', 'the']);
  });

  it('drops unknown words where there is no unknown token', () => {
    const model = { type: 'WordLevel', vocab: { a: 0, b: 1 } };
    expect(wordLevel([], { model }).encode('a c b').ids).toEqual([0, 1]);
  });
});

it('follows Metaspace words', () => {
  const vocab = { '<unk>': 0, '▁': 1, a: 2, b: 3, '▁a': 4 };
  const tokenizer = parseTokenizer(
    JSON.stringify({
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      post_processor: null,
      decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      model: { type: 'BPE', vocab, merges: ['▁ a'], unk_token: '<unk>' },
    }),
  );
  expect(tokenizer.encode('ab a').ids).toEqual([4, 3, 4]);
  expect(spans(tokenizer, 'ab a')).toEqual(['a', 'b', ' a']);
});

describe('files that cannot be used', () => {
  it.each(['', '{', '[]', 'null', '3', '{"model":{}}', '{"model":{"type":"Magic"},"decoder":null}'])('%j', (text) => {
    expect(() => parseTokenizer(text, 'tokenizer.json')).toThrow(InputError);
  });

  it('a missing file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'statescope-tokenizer-'));
    await expect(loadTokenizer(join(folder, 'tokenizer.json'))).rejects.toThrow(/cannot be read \(ENOENT\)/);
    await writeFile(join(folder, 'tokenizer.json'), '{"model":');
    await expect(loadTokenizer(join(folder, 'tokenizer.json'))).rejects.toThrow(InputError);
    await rm(folder, { recursive: true });
  });

  it.each([
    ['tokenizer.json', 'tokenizer.json'],
    ['tokenizer_config.json', 'tokenizer.json'],
    ['vocab.json', 'vocab.json'],
    ['merges.txt', 'vocab.json'],
  ])('says that %s is a pointer of Git LFS, or what else it is', async (name, opened) => {
    const folder = await mkdtemp(join(tmpdir(), 'statescope-tokenizer-'));
    const whole = JSON.stringify({ model: { type: 'WordLevel', vocab: { a: 0 } } });
    const files = { 'tokenizer.json': whole, 'vocab.json': '{"a": 0}', 'merges.txt': '' };
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
    const said = async (text: string) => {
      await writeFile(join(folder, name), text);
      return loadTokenizer(join(folder, opened)).catch(({ message }: Error) => message);
    };
    expect(await said('version https://git-lfs.github.com/spec/v1\n')).toMatch(
      new RegExp(`^${name} is a Git LFS pointer.*git lfs pull`),
    );
    if (name.endsWith('.json')) expect(await said('<html>')).toMatch(new RegExp(`^${name} .*; replace the file`));
    await rm(folder, { recursive: true });
  });
});
