import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answerToken } from './answers';
import { patternOf } from './pattern';
import { parseTokenizer } from './tokenizer';

interface Row {
  readonly text: string;
  readonly ids: number[];
  /** UTF-16 units. */
  readonly offsets: number[][];
  readonly decoded: string;
}

/** Tokenizers of 36 kinds, trained on a few lines, and what `tokenizers` 0.23.3 makes of random strings. */
const KINDS = JSON.parse(gunzipSync(readFileSync('lib/tokenizer/testing/parity.json.gz')).toString()) as Readonly<
  Record<string, { readonly tokenizer: unknown; readonly rows: readonly Row[] }>
>;

const tokenizerOf = (kind: string) => parseTokenizer(JSON.stringify(KINDS[kind].tokenizer));

describe('ids, offsets and decoding are those of the Python package', () => {
  it.each(Object.keys(KINDS))('%s', (kind) => {
    const tokenizer = tokenizerOf(kind);
    for (const { text, ids, offsets, decoded } of KINDS[kind].rows) {
      const { tokens } = tokenizer.encode(text);
      const found = {
        text,
        ids: tokens.map(({ id }) => id),
        offsets: tokens.map(({ start, end }) => [start, end]),
        decoded: tokenizer.decode(ids),
      };
      expect(found).toEqual({ text, ids, offsets, decoded });
    }
  });
});

describe('a model', () => {
  const bpe = (model: object) =>
    parseTokenizer(
      JSON.stringify({
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: null,
        post_processor: null,
        decoder: null,
        model: { type: 'BPE', merges: [['a', 'b']], ...model },
      }),
    );

  it('that drops what its vocabulary lacks points at what is left', () => {
    const { tokens } = bpe({ vocab: { a: 0, b: 1, ab: 2 } }).encode('a?xab?');
    expect(tokens.map(({ id, start, end }) => [id, start, end])).toEqual([
      [0, 0, 1],
      [2, 3, 5],
    ]);
  });

  it('whose merges need what its vocabulary lacks is refused', () =>
    expect(() => bpe({ vocab: { a: 0, b: 1 } })).toThrow(/its merges need the token "ab", which its vocabulary lacks/));

  it('whose unknown token is none of its vocabulary says so once it is needed', () => {
    const tokenizer = bpe({ vocab: { a: 0, b: 1, ab: 2 }, unk_token: '<unk>' });
    expect(tokenizer.encode('ab').ids).toEqual([2]);
    expect(() => tokenizer.encode('abc')).toThrow(/vocabulary lacks its unknown token "<unk>"/);
  });
});

describe('patterns', () => {
  const found = (source: string, text: string) => [...text.matchAll(patternOf({ Regex: source }))].map(([one]) => one);
  it.each([
    ['(?i)the|cat', 'The CAT sat', ['The', 'CAT']],
    ['a(?i:b)c', 'abc aBc aBC', ['abc', 'aBc']],
    ['(?i)[a-c]+(?-i)D', 'aBCD aBCd', ['aBCD']],
    ['\\R', 'a\r\nb\nc\u2028d', ['\r\n', '\n', '\u2028']],
    ['\\h+', 'deadBEEF xyz 12', ['deadBEEF', '12']],
    ['a++b|a', 'aab aa', ['aab', 'a', 'a']],
    ['(?>ab|a)c|.', 'abc ac', ['abc', ' ', 'ac']],
    ['\\d{2}+x', '1234x 123x', ['1234x', '23x']],
    ['[[:alpha:]&&[^aeiou]]+', 'strength', ['str', 'ngth']],
    ['\\p{Han}+|\\p{^L}', 'a漢字 b', ['漢字', ' ']],
    ['\\x{1F363}|\\u00e9', 'é🍣', ['é', '🍣']],
    ['[\\]\\-/]+', 'a]-/b', [']-/']],
  ])('%s', (source, text, matches) => expect(found(source, text)).toEqual(matches));

  it('that are not understood say which, and what else to do', () => {
    expect(() => patternOf({ Regex: '\\K' })).toThrow(/its pattern \\K is not understood .*token ids/);
  });
});

describe('tokenizer_config.json', () => {
  const template = {
    ...(KINDS.digits.tokenizer as object),
    post_processor: (KINDS['llama-prepend'].tokenizer as { post_processor: unknown }).post_processor,
  };
  const idsWith = (config: object) =>
    parseTokenizer(JSON.stringify(template), 't', JSON.stringify(config)).encode('a').ids;
  const named = { bos_token: '<s>', eos_token: { content: '</s>' } };

  it('decides about the tokens around a text, where it says so', () => {
    const [bos, ...rest] = idsWith({});
    expect(rest).toHaveLength(1);
    expect(idsWith({ ...named, chat_template: '{{ bos_token }}hello' })).toEqual([bos, ...rest]);
    expect(idsWith({ ...named, add_bos_token: false, add_eos_token: false })).toEqual(rest);
    expect(idsWith({ ...named, add_bos_token: true, add_eos_token: true })).toEqual([0, ...rest, 1]);
    expect(idsWith({ ...named, add_eos_token: true })).toEqual([...rest, 1]);
    expect(idsWith({ add_bos_token: true, add_eos_token: true })).toEqual(rest);
  });
});

describe('an answer', () => {
  const shown = (kind: string, answer: string) => answerToken(tokenizerOf(kind), answer)?.text;
  it('is what was typed where it is no word', () => {
    for (const kind of ['digits', 'llama-prepend', 'metaspace-always']) {
      expect(shown(kind, '</s>')).toBe('</s>');
      expect(['\n', '<0x0A>']).toContain(shown(kind, '\n'));
      expect(['.', '<0x2E>', '▁.']).toContain(shown(kind, '.'));
    }
    expect(shown('digits', ',')).toBe(',');
    expect(shown('digits', ' ')).toBe(' ');
  });

  it('is the word after a blank where it is one, never the blank', () => {
    expect(shown('digits', 'cat')).toBe(shown('digits', ' cat'));
    expect(shown('llama-prepend', 'the')).toBe('▁th');
    expect(shown('digits', 'zzz')).not.toBe(' ');
  });
});
