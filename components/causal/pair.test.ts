import { describe, expect, it } from 'vitest';
import { differingTokens, pairProblem } from './pair';

describe('a pair', () => {
  it('is refused in a sentence that names the counts, or the lack of a difference', () => {
    expect(pairProblem('demo', 5, 6, false)).toMatch(/demo reads 5 tokens in the clean prompt and 6 in the corrupted/);
    expect(pairProblem('demo', 5, 5, true)).toMatch(/are the same/);
    expect(pairProblem('demo', 5, 5, false)).toBeUndefined();
    expect(pairProblem('demo', 5, undefined, false)).toBeUndefined();
  });

  it('knows where its tokens differ', () => {
    const words = (text: string) => text.split(' ').map((word) => ({ text: word }));
    expect([...differingTokens(words('a b c d'), words('a x c y'))]).toEqual([1, 3]);
  });
});
