import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aligned, normalizeUnicode, textOf } from './alignment';
import { normalized, type UnicodeForm } from './canonical';
import { bundledTokenizer } from './choice';
import { loadTokenizer, parseTokenizer, type Tokenizer } from './tokenizer';

const FORMS: UnicodeForm[] = ['NFC', 'NFD', 'NFKC', 'NFKD'];
const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
let next = 256;
const ALPHABET = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));

/** Byte-level BPE that joins up to eight a, spaces before t, and the bytes of é and 각. */
function tokenizer(normalizer: object | null, { pre = {}, added = [] as object[] } = {}): Tokenizer {
  const merges = ['a a', 'aa aa', 'aaaa aaaa', 'Ġ t', 'Ã ©', 'ê °', 'ê° ģ'];
  const vocab = Object.fromEntries(
    [...ALPHABET, ...merges.map((merge) => merge.replace(' ', ''))].map((t, id) => [t, id]),
  );
  const definition = {
    version: '1.0',
    added_tokens: [
      { id: 300, content: '<s>', special: true },
      { id: 301, content: '        ', normalized: true },
      ...added,
    ],
    normalizer,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, ...pre },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges },
  };
  return parseTokenizer(JSON.stringify(definition));
}

const marks = fc.constantFrom('\u0301', '\u0316', '\u0334', '\u0345', '\u3099', '\u0323', '\u0f71', '\u093c');
const fragment = fc.oneof(
  fc.constantFrom('a', 'aaaaaaaa', ' the', 'é', 'e\u0301', '각', '\u1100\u1161\u11a8', '😀', '<s>', '        ', '\n\n'),
  fc.constantFrom('ﷺ', 'ㄱㅏ', 'ｶﾞ', 'ﬁ', 'İ', 'ำ', 'Ω', '\ud800'),
  marks,
  fc.array(marks, { minLength: 60, maxLength: 90 }).map((run) => run.join('')),
);
/** Most are short; some are long enough to be looked at in pieces. */
const text = fc.tuple(fc.array(fragment, { maxLength: 20 }), fc.constantFrom(1, 1, 6000)).map(([parts, length]) => {
  const once = parts.join('');
  return once.repeat(Math.max(1, Math.floor(length / Math.max(1, once.length))));
});

describe('Unicode normalisation', () => {
  it('is that of the engine, run for run of marks', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...FORMS), (whole, form) => {
        expect(normalized(whole, form)).toBe(whole.normalize(form));
        expect(textOf(normalizeUnicode(aligned(whole), form))).toBe(whole.normalize(form));
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('takes time that grows with the text', () => {
    const cost = (n: number) => cpu(() => normalizeUnicode(aligned(`e${'\u0301\u0316'.repeat(n)}`), 'NFC'));
    cost(1000);
    // A sort by insertion takes over a minute for this.
    expect(cost(130_000)).toBeLessThan(5);
  });
});

describe('text of at most so many tokens', () => {
  const tokenizers = [
    tokenizer(null),
    tokenizer({ type: 'NFC' }),
    tokenizer({ type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] }),
    tokenizer({ type: 'NFC' }, { pre: { add_prefix_space: true } }),
    tokenizer({ type: 'Replace', pattern: { String: 'a' }, content: '' }),
    tokenizer({ type: 'NFD' }, { added: [{ id: 302, content: '<m>', normalized: true, lstrip: true }] }),
  ];

  it('is read as the whole text is, and refused exactly where it has more', () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom(...tokenizers),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (whole, one, share) => {
          const encoding = one.encode(whole);
          const most = Math.ceil(share * encoding.ids.length);
          // Text that grows out of all proportion is not read to the end.
          if (whole.normalize('NFKD').length > 64 * most) return;
          expect(one.encodeWithin(whole, most)).toEqual(encoding.ids.length <= most ? encoding : undefined);
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('is refused where normalisation makes it far larger', () => {
    expect(tokenizers[2].encodeWithin('ﷺ'.repeat(260_000), 4096)).toBeUndefined();
  });
});

const N = 262_144;
const LONG = {
  'combining marks': `e${'\u0301'.repeat(N - 1)}`,
  'marks of two classes': `e${'\u0301\u0316'.repeat(N / 2 - 1)}`,
  Korean: '각'.repeat(N),
  emoji: '😀'.repeat(N / 2),
  'U+FDFA': 'ﷺ'.repeat(N),
  'one word of a': 'a'.repeat(N),
  spaces: ' '.repeat(N),
  'special tokens': '<s>'.repeat(N / 3),
};

/** Seconds of processor time. */
function cpu(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

describe.each(Object.entries(LONG))('262,144 characters: %s', (_, whole) => {
  it('are refused within a second of work', () => {
    const one = tokenizer({ type: 'NFC' });
    expect(cpu(() => expect(one.encodeWithin(whole, 4096)).toBeUndefined())).toBeLessThan(1);
  });

  it('so they are by GPT-NeoX', async () => {
    const one = await loadTokenizer(bundledTokenizer(process.cwd()));
    expect(cpu(() => expect(one.encodeWithin(whole, 4096)).toBeUndefined())).toBeLessThan(1);
  });
});
