import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_ROWS, sentenceSpans } from './sentences';

const tokensOf = (text: string) => text.split(' ').map((word) => ({ text: word }));

describe('the sentences of a prompt', () => {
  it('end with their mark, and the token that is read stands by itself', () => {
    const tokens = tokensOf('Mary went out . Where is Mary ? Answer :');
    expect(sentenceSpans({ tokens, position: 9 })).toEqual([
      [0, 4],
      [4, 8],
      [8, 9],
      [9, 10],
    ]);
    expect(sentenceSpans({ tokens, position: 0 })).toEqual([[0, 1]]);
  });

  it('are at most so many, and hold every token once, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', '.', '?'), { minLength: 1, maxLength: 300 }), (words) => {
        const spans = sentenceSpans({ tokens: words.map((text) => ({ text })), position: words.length - 1 });
        expect(spans.length).toBeLessThanOrEqual(MOST_ROWS);
        expect(spans.flatMap(([start, end]) => Array.from({ length: end - start }, (_, k) => start + k))).toEqual(
          words.map((_, t) => t),
        );
        expect(spans.every(([start, end]) => end > start)).toBe(true);
      }),
    );
  });

  it('are equal parts of a text that has none', () => {
    const tokens = tokensOf('a '.repeat(100).trim());
    const sizes = sentenceSpans({ tokens, position: 99 }).map(([start, end]) => end - start);
    expect(sizes).toHaveLength(MOST_ROWS);
    expect(Math.max(...sizes)).toBe(9);
  });
});
