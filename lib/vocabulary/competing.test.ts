import { expect, it } from 'vitest';
import { competingSentences } from '.';

const TEXT =
  'Mary is in the garden. John went to the kitchen! It rained.\nThe kitchens are old. Is it the office? Answer:';
const found = (given: Partial<Parameters<typeof competingSentences>[1]> = {}, text = TEXT) =>
  competingSentences(text, { target: 'garden', candidates: ['garden', 'kitchen', ' office'], ...given }).map(([a, b]) =>
    text.slice(a, b),
  );

it('finds the sentences that name another candidate, as a word by itself', () => {
  expect(found()).toEqual(['John went to the kitchen!']);
  expect(found({ target: 'kitchen' })).toEqual(['Mary is in the garden.']);
  expect(found({ candidates: ['garden'] })).toEqual([]);
});

it('leaves out the needle, the question and questions', () => {
  const start = TEXT.indexOf('John');
  expect(found({ needle: [start, start + 4] })).toEqual([]);
  expect(found({ question: [[start + 5, start + 9]] })).toEqual([]);
  expect(found({}, 'Is Mary in the kitchen? Answer:')).toEqual([]);
});

it('takes signs in words as they are', () => {
  expect(found({ target: 'C', candidates: ['C', 'C++'] }, 'He likes C++. She likes C.')).toEqual(['He likes C++.']);
});
