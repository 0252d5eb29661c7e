import { Tokenizer } from '@huggingface/tokenizers';
import { expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { retrievalExample } from './retrieval';
import { PADDING, retrievalVocabulary, splitWords, tokenizerJson, UNKNOWN, wordTokenizer } from './word-tokenizer';

const words = retrievalVocabulary();
const ours = wordTokenizer(words);
const huggingFace = new Tokenizer(tokenizerJson(words), { unk_token: UNKNOWN });

it('has each word once, the special tokens first', () => {
  expect(new Set(words).size).toBe(words.length);
  expect(words.slice(0, 2)).toEqual([UNKNOWN, PADDING]);
  expect(words.length).toBeLessThan(150);
});

it('gives the ids that tokenizer.json gives, and text that reads as it was written', () => {
  const random = new Random(9);
  for (let i = 0; i < 50; i++) {
    const { prompt } = retrievalExample(random, { sentences: 6, split: 'train' });
    const { ids } = huggingFace.encode(prompt);
    expect(ours.encode(prompt)).toEqual(ids);
    expect(huggingFace.decode(ids)).toBe(prompt);
  }
});

it('keeps case and marks unknown words', () => {
  for (const text of ['mary went to the zoo.', 'Mary, the kitchen?!'])
    expect(ours.encode(text)).toEqual(huggingFace.encode(text).ids);
  expect(ours.encode('mary')).toEqual([0]);
});

it('knows where each word stands', () => {
  const text = 'Mary went  home...';
  expect(splitWords(text).map(({ start, end }) => text.slice(start, end))).toEqual(['Mary', 'went', 'home', '...']);
});
