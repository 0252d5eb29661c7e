import { describe, expect, it } from 'vitest';
import { marked, repainted } from './spans';

const text = 'Mary left . Sandra came . Where ?';
const tokens = [...text.matchAll(/ ?\S+/g)].map(({ 0: word, index }) => ({
  text: word,
  start: index,
  end: index + word.length,
}));
const words = (spans: readonly (readonly [number, number])[]) => spans.map(([start, end]) => text.slice(start, end));

describe('spans of a class', () => {
  it('mark the tokens that they overlap', () => {
    expect(marked(tokens, [[5, 9]])).toEqual(tokens.map((_, k) => k === 1));
    expect(marked(tokens, [])).not.toContain(true);
  });

  it('grow by what is dragged over, in either direction, and join where they touch', () => {
    const one = repainted(tokens, [], [2, 0], true);
    expect(words(one)).toEqual(['Mary left .']);
    expect(words(repainted(tokens, one, [3, 4], true))).toEqual(['Mary left . Sandra came']);
    expect(words(repainted(tokens, one, [6, 7], true))).toEqual(['Mary left .', 'Where ?']);
  });

  it('lose what is dragged out of them, and end where nothing is left', () => {
    const all = repainted(tokens, [], [0, 7], true);
    expect(words(repainted(tokens, all, [3, 3], false))).toEqual(['Mary left .', 'came . Where ?']);
    expect(repainted(tokens, all, [0, 7], false)).toEqual([]);
  });
});
