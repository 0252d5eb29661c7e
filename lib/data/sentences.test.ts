import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sentencesOf } from './sentences';

interface Cases {
  readonly cases: readonly { readonly text: string; readonly sentences: readonly string[] }[];
}

const { cases } = JSON.parse(readFileSync(join(__dirname, 'testing', 'sentences.json'), 'utf8')) as Cases;

it.each(cases)('cuts $text as Punkt does', ({ text, sentences }) => {
  expect(sentencesOf(text)).toEqual(sentences);
});

it('takes time in proportion to the text, whatever the signs', () => {
  const counted = (text: string) => {
    const from = process.cpuUsage();
    sentencesOf(text);
    const { user, system } = process.cpuUsage(from);
    return user + system;
  };
  for (const part of ['.)', '?!', 'a.', '. ', '..', '.  \n']) {
    counted(part.repeat(20_000));
    // Ten times the text in far less than a hundred times the time.
    expect(counted(part.repeat(200_000))).toBeLessThan(2e6);
  }
});
