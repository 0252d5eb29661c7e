/** Changes of a text, each with the origins that the Python package gives to what it inserts. */

import { type AlignedCharacter, type AlignedText, type Range, textOf } from './alignment';

/** Characters before a text: they point at its first character. */
export function prepended(text: AlignedText, before: string): AlignedText {
  const [first] = text;
  return first ? [...Array.from(before, (one) => ({ text: one, origin: first.origin })), ...text] : text;
}

/** Every match of a pattern by a content that points at the last character that it replaces. */
export function replaced(text: AlignedText, pattern: RegExp, content: string): AlignedText {
  const whole = textOf(text);
  const matches = [...whole.matchAll(pattern)];
  if (matches.length === 0) return text;
  const result: AlignedCharacter[] = [];
  let index = 0;
  let unit = 0;
  for (const match of matches) {
    while (unit < match.index) {
      unit += text[index].text.length;
      result.push(text[index++]);
    }
    while (unit < match.index + match[0].length) unit += text[index++].text.length;
    const origin: Range = text[index - 1]?.origin ?? [0, 0];
    for (const one of content) result.push({ text: one, origin });
  }
  for (; index < text.length; index++) result.push(text[index]);
  return result;
}
