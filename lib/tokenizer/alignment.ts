/**
 * Text under normalisation that remembers where each of its characters came from. The rules are those of the Python
 * `tokenizers` package, which users compare offsets with: a character that replaces several points at the first of them.
 */

import { normalized, type UnicodeForm } from './canonical';

/** A range of UTF-16 units in the original text, the end not included. */
export type Range = readonly [start: number, end: number];

export interface AlignedCharacter {
  /** One code point. */
  readonly text: string;
  readonly origin: Range;
}

export type AlignedText = readonly AlignedCharacter[];

/**
 * A cluster is what normalisation never looks beyond: a character with the marks, jamo and Kirat Rai vowels that may join
 * it, also those that compatibility forms make of others.
 */
const CONTINUES = /^[\p{M}\u0e33\u0eb3\u1160-\u11ff\u3133-\u318e\uff9e-\uffdc\u{16d67}-\u{16d6a}]$/u;

/** Text as it stands in the original, `start` UTF-16 units from its beginning. */
export function aligned(text: string, start = 0): AlignedText {
  let at = start;
  return Array.from(text, (character) => {
    const origin: Range = [at, at + character.length];
    at += character.length;
    return { text: character, origin };
  });
}

/** Cuts a text into pieces of about `size` UTF-16 units, whole clusters each. */
export function* pieces(text: string, size: number): Generator<string> {
  let start = 0;
  let length = 0;
  let at = 0;
  for (const character of text) {
    if (length >= size && !CONTINUES.test(character)) {
      yield text.slice(start, at);
      start = at;
      length = 0;
    }
    at += character.length;
    length += character.length;
  }
  if (start < text.length) yield text.slice(start);
}

export const textOf = (characters: AlignedText): string => characters.map(({ text }) => text).join('');

/** From the start of the first character's origin to the end of the last one's. */
export function originOf(characters: AlignedText, from: number, to: number): Range {
  return [characters[from].origin[0], characters[to - 1].origin[1]];
}

/**
 * One character of a changed text: `added` is 1 for a character that was inserted after the one before, 0 for one that
 * replaces one character, −n for one that replaces n + 1.
 */
export interface Change {
  readonly text: string;
  readonly added: number;
}

/** Carries origins over a change; replaced characters are consumed in order. */
export function applyChanges(current: AlignedText, changes: readonly Change[]): AlignedText {
  let next = 0;
  return changes.map(({ text, added }) => {
    const source = added > 0 ? current[next - 1] : current[next];
    if (added <= 0) next += 1 - added;
    const beginning = current[0]?.origin[0] ?? 0;
    return { text, origin: source?.origin ?? [beginning, beginning] };
  });
}

/** Splits where no normalisation form composes or reorders across. */
export function clusters(characters: AlignedText): AlignedText[] {
  const found: AlignedCharacter[][] = [];
  for (const character of characters) {
    if (found.length > 0 && CONTINUES.test(character.text)) found[found.length - 1].push(character);
    else found.push([character]);
  }
  return found;
}

/** Parts of characters that were decomposed, to be taken by their text. */
class Parts {
  readonly #left = new Map<string, { readonly added: number[]; next: number }>();

  constructor(parts: Iterable<Change>) {
    for (const { text, added } of parts) {
      const same = this.#left.get(text);
      if (same) same.added.push(added);
      else this.#left.set(text, { added: [added], next: 0 });
    }
  }

  /** The first unused part of this text: among equal characters, order is kept by every normalisation form. */
  take(text: string): number {
    const same = this.#left.get(text);
    return same?.added[same.next++] ?? 1;
  }
}

/**
 * The changes of one cluster under a Unicode form: every character is decomposed (the first part replaces it, the others
 * are insertions), and composing merges parts, one replaced character more for each.
 */
function unicodeChanges(cluster: AlignedText, form: UnicodeForm): Change[] {
  const before = textOf(cluster);
  const after = normalized(before, form);
  if (after === before) return cluster.map(({ text }) => ({ text, added: 0 }));
  const decomposition = form === 'NFC' || form === 'NFD' ? 'NFD' : 'NFKD';
  const parts = new Parts(
    cluster.flatMap(({ text }) =>
      Array.from(text.normalize(decomposition), (part, i) => ({ text: part, added: i === 0 ? 0 : 1 })),
    ),
  );
  return Array.from(after, (text) => {
    const own = Array.from(text.normalize(decomposition), (part) => parts.take(part));
    return { text, added: own.reduce((sum, added) => sum + added, 1 - own.length) };
  });
}

/** Unicode normalisation with origins. */
export function normalizeUnicode(characters: AlignedText, form: UnicodeForm): AlignedText {
  const before = textOf(characters);
  if (normalized(before, form) === before) return characters;
  return applyChanges(
    characters,
    clusters(characters).flatMap((cluster) => unicodeChanges(cluster, form)),
  );
}

export const lowercased = (text: string): string => Array.from(text, (character) => character.toLowerCase()).join('');

/** Lower case character by character, as Rust does it: no special rule for a sigma at the end of a word. */
export function lowercase(characters: AlignedText): AlignedText {
  const changes = characters.flatMap(({ text }) =>
    Array.from(text.toLowerCase(), (lower, i): Change => ({ text: lower, added: i === 0 ? 0 : 1 })),
  );
  return applyChanges(characters, changes);
}

/**
 * Origins for a normaliser of which only the result is known. Where it works cluster by cluster, each result points at
 * its whole cluster; otherwise equal beginnings and ends point at themselves, and what is between at all that was between.
 */
export function normalizeOpaquely(characters: AlignedText, normalize: (text: string) => string): AlignedText {
  if (characters.length === 0) return characters;
  const after = normalize(textOf(characters));
  const byCluster = clusters(characters).flatMap((cluster) => {
    const origin = originOf(cluster, 0, cluster.length);
    return Array.from(normalize(textOf(cluster)), (text) => ({ text, origin }));
  });
  if (textOf(byCluster) === after) return byCluster;
  const result = Array.from(after);
  const shorter = Math.min(result.length, characters.length);
  let head = 0;
  while (head < shorter && result[head] === characters[head].text) head++;
  let tail = 0;
  while (tail < shorter - head && result[result.length - 1 - tail] === characters[characters.length - 1 - tail].text)
    tail++;
  const middleEnd = characters.length - tail;
  const origin: Range =
    head < middleEnd
      ? originOf(characters, head, middleEnd)
      : [
          characters[Math.min(head, characters.length - 1)].origin[0],
          characters[Math.min(head, characters.length - 1)].origin[1],
        ];
  return result.map((text, i) => {
    if (i < head) return { text, origin: characters[i].origin };
    const fromEnd = result.length - i;
    return { text, origin: fromEnd <= tail ? characters[characters.length - fromEnd].origin : origin };
  });
}
