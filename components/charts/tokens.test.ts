import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignTokens, cut, displayToken, sameWord, spanOfTokens, tokensInSpan, visible } from './tokens';

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

  it('shows what cannot be seen by its name', () => {
    expect(displayToken('\x1b[31m')).toBe('<0x1B>[31m');
    expect(displayToken('k\x01\x08it\0\x7f\r')).toBe('k<0x01><0x08>it<0x00><0x7F><0x0D>');
    expect(displayToken('\u0085\ufffe\uffff\u{1ffff}')).toBe('<0x85><U+FFFE><U+FFFF><U+1FFFF>');
    expect(displayToken('\u202ethe\u2066')).toBe('<U+202E>the<U+2066>');
    expect(displayToken('a\ud800b\udc00')).toBe('a<U+D800>b<U+DC00>');
    // Letters of every script, emoji and what joins them stay as they are.
    expect(displayToken('👩‍👩‍👧 é क्ष שלום')).toBe('👩‍👩‍👧 é क्ष שלום');
    expect(visible('two\r\n\tlines\x1b')).toBe('two\r\n\tlines<0x1B>');
  });

  it('leaves nothing that XML may not hold, whatever the text', () => {
    // XML 1.0, production 2: Char.
    const xml = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const control = fc.constantFrom(...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)));
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(unit, control) }), (text) => {
        expect(visible(text)).toMatch(xml);
        expect(displayToken(text)).toMatch(xml);
      }),
      { numRuns: 2000 },
    );
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
