/** Pre-tokenizers that keep track of origins: normalised text to words, as those of the Python package make them. */

import { InputError } from '@/lib/input-error';
import { type AlignedText, textOf } from './alignment';
import { BYTE_ALPHABET } from './byte-level';
import { type Component, WORD } from './definition';
import { prepended, replaced } from './edits';
import { patternOf } from './pattern';

export type PreTokenizer = (text: AlignedText) => AlignedText[];

type Behavior = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous';

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly matched: boolean;
}

/** Which stretches of a text, in characters, a pattern matches. */
function stretchesOf(characters: AlignedText, pattern: RegExp): Stretch[] {
  const stretches: Stretch[] = [];
  let index = 0;
  let unit = 0;
  const indexAt = (position: number): number => {
    while (unit < position) unit += characters[index++].text.length;
    return index;
  };
  let done = 0;
  for (const match of textOf(characters).matchAll(pattern)) {
    if (match[0].length === 0) continue;
    const from = indexAt(match.index);
    const to = indexAt(match.index + match[0].length);
    if (done < from) stretches.push({ from: done, to: from, matched: false });
    stretches.push({ from, to, matched: true });
    done = to;
  }
  if (done < characters.length) stretches.push({ from: done, to: characters.length, matched: false });
  return stretches;
}

/** Cuts a text at what a pattern matches. */
function split(characters: AlignedText, pattern: RegExp, behavior: Behavior, invert = false): AlignedText[] {
  const stretches = stretchesOf(characters, pattern).map((one) => ({ ...one, matched: one.matched !== invert }));
  const joined: Stretch[] = [];
  for (const [i, one] of stretches.entries()) {
    const last = joined.at(-1);
    const before = stretches[i - 1];
    const merges =
      last &&
      ((behavior === 'contiguous' && one.matched === before.matched) ||
        (behavior === 'mergedwithprevious' && one.matched && !before.matched) ||
        (behavior === 'mergedwithnext' && !one.matched && before.matched));
    if (merges) joined[joined.length - 1] = { ...last, to: one.to, matched: one.matched };
    else if (behavior !== 'removed' || !one.matched) joined.push(one);
  }
  return joined.map(({ from, to }) => characters.slice(from, to));
}

/** GPT-2's cut into words. */
export const BYTE_LEVEL_WORDS = patternOf({
  Regex: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
});
const WORDS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, 'gv');
const SPACES = /\p{White_Space}/gu;
const DIGIT = /\p{N}/gu;
const PUNCTUATION = /[\p{P}$+<=>^`|~]/gu;

const utf8 = new TextEncoder();

/** Every byte as a character of the alphabet, with the origin of the character that it is of. */
const bytesOf = (word: AlignedText): AlignedText =>
  word.flatMap(({ text, origin }) => Array.from(utf8.encode(text), (byte) => ({ text: BYTE_ALPHABET[byte], origin })));

function byteLevel({ add_prefix_space: adds = true, use_regex: cuts = true }: Component): PreTokenizer {
  return (text) => {
    const spaced = adds && text[0]?.text !== ' ' ? prepended(text, ' ') : text;
    return (cuts ? split(spaced, BYTE_LEVEL_WORDS, 'isolated') : [spaced]).map(bytesOf);
  };
}

function metaspace({
  replacement,
  prepend_scheme: scheme,
  add_prefix_space: adds,
  split: cuts = true,
}: Component): PreTokenizer {
  const mark = typeof replacement === 'string' ? replacement : '▁';
  const prepends = scheme ?? ((adds ?? true) ? 'always' : 'never');
  const pattern = patternOf({ String: mark });
  return (text) => {
    const marked = replaced(text, / /g, mark);
    const begins = prepends === 'always' || (prepends === 'first' && marked[0]?.origin[0] === 0);
    const whole = begins && marked[0]?.text !== mark ? prepended(marked, mark) : marked;
    return cuts ? split(whole, pattern, 'mergedwithnext') : [whole];
  };
}

/** @throws InputError for types that are not known */
export function preTokenizerOf(component: Component | null): PreTokenizer {
  if (!component) return (text) => [text];
  const by =
    (pattern: RegExp, behavior: Behavior, invert = false): PreTokenizer =>
    (text) =>
      split(text, pattern, behavior, invert);
  const behaviorOf = (given: unknown, missing: string) => String(given ?? missing).toLowerCase() as Behavior;
  switch (component.type) {
    case 'Sequence': {
      const inner = (component.pretokenizers ?? []).map(preTokenizerOf);
      return (text) => inner.reduce((words, one) => words.flatMap(one), [text]);
    }
    case 'ByteLevel':
      return byteLevel(component);
    case 'Metaspace':
      return metaspace(component);
    case 'Whitespace':
      return by(WORDS, 'removed', true);
    case 'WhitespaceSplit':
      return by(SPACES, 'removed');
    case 'Digits':
      return by(DIGIT, component.individual_digits ? 'isolated' : 'contiguous');
    case 'Punctuation':
      return by(PUNCTUATION, behaviorOf(component.behavior, 'Isolated'));
    case 'BertPreTokenizer':
      return (text) => split(text, SPACES, 'removed').flatMap((word) => split(word, PUNCTUATION, 'isolated'));
    case 'CharDelimiterSplit':
      return by(patternOf({ String: component.delimiter }), 'removed');
    case 'Split':
      return by(patternOf(component.pattern), behaviorOf(component.behavior, 'Isolated'), component.invert === true);
    case 'FixedLength': {
      const length = Number(component.length ?? 5);
      return (text) =>
        Array.from({ length: Math.ceil(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
    }
    default:
      throw new InputError(`its pre-tokenizer ${component.type} is not known; give the input as token ids`);
  }
}
