import { describe, expect, it } from 'vitest';
import { alignTokens, cut, displayToken, sameWord, spanOfTokens, tokensInSpan } from './tokens';

const tokens = (pieces: string[]) => {
  let start = 0;
  return pieces.map((text) => {
    const span = { text, start, end: start + text.length };
    start = span.end;
    return span;
  });
};

describe('tokens', () => {
  it('shows leading spaces and newlines', () => {
    expect(displayToken(' Mary')).toBe('·Mary');
    expect(displayToken('\n\n')).toBe('⏎⏎');
    expect(displayToken('')).toBe('∅');
  });

  it('cuts long labels to the limit, ellipsis included', () => {
    expect(cut('·bathroom', 7)).toBe('·bathr…');
    expect(cut('·Mary', 7)).toBe('·Mary');
  });

  it('matches words whatever their leading space', () => {
    expect(sameWord(' Mary', 'Mary')).toBe(true);
    expect(sameWord(' ', '')).toBe(false);
  });

  it('aligns tokens that cover the same characters, and no others', () => {
    const a = tokens(['Mary', ' went', ' home']);
    const b = tokens(['Ma', 'ry', ' went', ' home']);
    expect([...alignTokens(a, b)]).toEqual([-1, 2, 3]);
    expect([...alignTokens(b, a)]).toEqual([-1, -1, 1, 2]);
  });

  it('finds the tokens of a span of characters and back', () => {
    const list = tokens(['Mary', ' went', ' home', ' .']);
    expect(tokensInSpan(list, [5, 14])).toEqual([1, 2]);
    expect(tokensInSpan(list, [40, 50])).toBeUndefined();
    expect(spanOfTokens(list, 2, 1)).toEqual([5, 14]);
    expect(tokensInSpan(list, spanOfTokens(list, 1, 2))).toEqual([1, 2]);
  });
});
