/** Normalisers that keep track of origins. */

import type { Normalizer as LibraryNormalizer } from '@huggingface/tokenizers';
import { type AlignedText, lowercase, lowercased, normalizeOpaquely, normalizeUnicode } from './alignment';
import { normalized } from './canonical';
import type { Component } from './definition';

export type Normalizer = (text: AlignedText) => AlignedText;

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

/** Exact origins for Unicode forms, lower case and sequences of them; approximate ones for the library's others. */
export function normalizerOf(component: Component | null, library: LibraryNormalizer | null): Normalizer {
  if (!component || !library) return (text) => text;
  return exactNormalizer(component) ?? ((text) => normalizeOpaquely(text, (plain) => library._call(plain)));
}
