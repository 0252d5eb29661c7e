/** Normalisers that keep track of origins. */

import type { Normalizer as LibraryNormalizer } from '@huggingface/tokenizers';
import { InputError } from '@/lib/input-error';
import { type AlignedText, lowercase, lowercased, normalizeOpaquely, normalizeUnicode } from './alignment';
import { BYTE_ALPHABET } from './byte-level';
import { normalized } from './canonical';
import { type Component, components } from './definition';
import { prepended, replaced } from './edits';
import { patternOf } from './pattern';

export type Normalizer = (text: AlignedText) => AlignedText;

const isSpace = (text: string) => /^\p{White_Space}$/u.test(text);

/** What the rules of neural machine translation leave out, and what they take for a space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is dropped
const NMT_DROPPED = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/;
const NMT_SPACE = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/;

/** What BERT's cleaning leaves out, line ends and tabs apart, and what it takes for Chinese. */
const BERT_DROPPED = /^(?![\t\n\r])[\ufffd\p{Cc}\p{Cf}\p{Co}]$/u;
const CHINESE =
  /^[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]$/u;

/** Characters without those that a pattern matches, those of another as spaces. */
const cleaned = (text: AlignedText, dropped: RegExp, space: RegExp): AlignedText =>
  text
    .filter((one) => !dropped.test(one.text))
    .map((one) => (space.test(one.text) ? { text: ' ', origin: one.origin } : one));

function bert(component: Component): Normalizer {
  const { clean_text: cleans = true, handle_chinese_chars: spaces = true, lowercase: lowers = true } = component;
  const strips = component.strip_accents ?? lowers;
  return (text) => {
    let result = cleans ? cleaned(text, BERT_DROPPED, /^[\t\n\r\p{White_Space}]$/u) : text;
    if (spaces)
      result = result.flatMap((one) => {
        const space = { text: ' ', origin: one.origin };
        return CHINESE.test(one.text) ? [space, one, space] : [one];
      });
    if (strips) result = normalizeUnicode(result, 'NFD').filter((one) => !/^\p{Mn}$/u.test(one.text));
    return lowers ? lowercase(result) : result;
  };
}

function exactNormalizer(component: Component): Normalizer | undefined {
  switch (component.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = component.type;
      return (text) => normalizeUnicode(text, form);
    }
    case 'Lowercase':
      return lowercase;
    case 'Prepend':
      return (text) => prepended(text, String(component.prepend ?? ''));
    case 'Replace': {
      const pattern = patternOf(component.pattern);
      return (text) => replaced(text, pattern, String(component.content ?? ''));
    }
    case 'Strip':
      return (text) => {
        const start = component.strip_left === false ? 0 : text.findIndex((one) => !isSpace(one.text));
        const end = component.strip_right === false ? text.length - 1 : text.findLastIndex((one) => !isSpace(one.text));
        return text.slice(start < 0 ? text.length : start, end + 1);
      };
    case 'ByteLevel':
      return (text) =>
        text.flatMap(({ text: one, origin }) =>
          Array.from(new TextEncoder().encode(one), (byte) => ({ text: BYTE_ALPHABET[byte], origin })),
        );
    case 'StripAccents':
      return (text) => text.filter((one) => !/^\p{M}$/u.test(one.text));
    case 'Nmt':
      return (text) => cleaned(text, NMT_DROPPED, NMT_SPACE);
    case 'BertNormalizer':
      return bert(component);
    case 'Sequence': {
      const inner = (component.normalizers ?? []).map(exactNormalizer);
      if (!inner.every((normalizer) => normalizer !== undefined)) return undefined;
      return (text) => inner.reduce((current, normalizer) => normalizer(current), text);
    }
    default:
      return undefined;
  }
}

/**
 * The same without origins, for normalisers that work cluster by cluster: of what is cut between two of them, pieces give the
 * same as the whole. Undefined for others.
 */
export function plainNormalizer(component: Component | null): ((text: string) => string) | undefined {
  switch (component?.type) {
    case undefined:
      return (text) => text;
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = component.type;
      return (text) => normalized(text, form);
    }
    case 'Lowercase':
      return lowercased;
    case 'Sequence': {
      const inner = (component.normalizers ?? []).map(plainNormalizer);
      if (!inner.every((normalizer) => normalizer !== undefined)) return undefined;
      return (text) => inner.reduce((current, normalizer) => normalizer(current), text);
    }
    default:
      return undefined;
  }
}

/** Exact origins for what is known here; approximate ones for the library's (Precompiled). */
export function normalizerOf(component: Component | null, library: LibraryNormalizer | null): Normalizer {
  if (!component) return (text) => text;
  const exact = exactNormalizer(component);
  if (exact) return exact;
  if (library) return (text) => normalizeOpaquely(text, (plain) => library._call(plain));
  const types = components(component).map(({ type }) => type);
  throw new InputError(`one of its normalizers (${types.join(', ')}) is not known; give the input as token ids`);
}
