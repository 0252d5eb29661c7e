import { expect, it } from 'vitest';
import { Random } from '@/lib/random';
import { lessonBatch, promptBatch } from './batches';
import { retrievalExample } from './retrieval';
import { ROOMS } from './vocabulary';
import { retrievalVocabulary, wordTokenizer } from './word-tokenizer';

const tokenizer = wordTokenizer(retrievalVocabulary());

it('labels every position with the next token and the answers apart', () => {
  const { B, L, tokens, labels, answers } = lessonBatch(new Random(4), tokenizer, {
    size: 8,
    sentences: [2, 5],
    questions: 2,
  });
  expect(tokens.length).toBe(B * L);
  const padding = tokenizer.words.indexOf('[PAD]');
  for (let b = 0; b < B; b++)
    for (let t = 0; t < L; t++) {
      const i = b * L + t;
      const next = t + 1 < L ? tokens[i + 1] : padding;
      expect(labels[i]).toBe(next === padding ? -1 : next);
      const isAnswer = tokenizer.words[tokens[i]] === ':';
      expect(answers[i]).toBe(isAnswer ? next : -1);
      if (isAnswer) expect(ROOMS).toContain(tokenizer.words[answers[i]]);
    }
});

it('points at the last token of each prompt', () => {
  const random = new Random(6);
  const examples = [3, 8].map((sentences) => retrievalExample(random, { sentences, split: 'train' }));
  const { tokens, last, targets } = promptBatch(examples, tokenizer);
  for (const row of last) expect(tokenizer.words[tokens[row]]).toBe(':');
  expect(targets.map((id) => tokenizer.words[id])).toEqual(examples.map(({ target }) => target));
});
