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

/** Exact origins for what is known here; approximate ones for the library's others (Precompiled, Bert). */
export function normalizerOf(component: Component | null, library: LibraryNormalizer | null): Normalizer {
  if (!component) return (text) => text;
  const exact = exactNormalizer(component);
  if (exact) return exact;
  if (library) return (text) => normalizeOpaquely(text, (plain) => library._call(plain));
  const types = components(component).map(({ type }) => type);
  throw new InputError(`one of its normalizers (${types.join(', ')}) is not known; give the input as token ids`);
}
