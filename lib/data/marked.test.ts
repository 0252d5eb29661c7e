import { expect, it } from 'vitest';
import { markedRuns } from './marked';

const tokens = Int32Array.from({ length: 12 }, (_, i) => i);

it('gives each token its class, the first that applies, and answers before all', () => {
  const row = {
    tokens,
    answers: [{ start: 11, end: 12 }],
    classes: {
      needle: [[2, 4] as const],
      competing: [[3, 6] as const, [6, 8] as const],
      question: [[8, 11] as const],
    },
  };
  expect(markedRuns(row)).toEqual([
    { mark: 'first', start: 0, end: 1 },
    { mark: 'filler', start: 1, end: 2 },
    { mark: 'needle', start: 2, end: 4 },
    { mark: 'competing', start: 4, end: 6 },
    { mark: 'competing', start: 6, end: 8 },
    { mark: 'question', start: 8, end: 10 },
    { mark: 'self', start: 10, end: 11 },
    { mark: 'answer', start: 11, end: 12 },
  ]);
});

it('names no class where the source knows none', () => {
  expect(markedRuns({ tokens, answers: [{ start: 3, end: 5 }] })).toEqual([
    { mark: 'filler', start: 0, end: 3 },
    { mark: 'answer', start: 3, end: 5 },
    { mark: 'filler', start: 5, end: 12 },
  ]);
  expect(markedRuns({ tokens, answers: [] })).toEqual([{ mark: 'filler', start: 0, end: 12 }]);
});
