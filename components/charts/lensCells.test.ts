import { describe, expect, it } from 'vitest';
import { cellTexts, lensAmount, lensLegend, runLabel, tokenRuns } from './lensCells';

const cell = { topId: 3, topProb: 0.4, targetProb: 1e-4, targetRank: 10, entropy: 2, kl: 0.1 };

describe('lensAmount', () => {
  it('grows with certainty in every mode', () => {
    expect(lensAmount(cell, 'top', 100)).toBeCloseTo(0.4);
    expect(lensAmount(cell, 'target', 100)).toBeCloseTo(0.5);
    expect(lensAmount({ ...cell, targetRank: 1 }, 'rank', 100)).toBe(1);
    expect(lensAmount({ ...cell, targetRank: 100 }, 'rank', 100)).toBe(0);
    expect(lensAmount(cell, 'rank', 100)).toBeCloseTo(0.5);
    expect(lensAmount({ ...cell, entropy: 0 }, 'entropy', 100)).toBe(1);
    expect(lensAmount({ ...cell, entropy: Math.log(100) }, 'entropy', 100)).toBe(0);
    expect(lensAmount(cell, 'kl', 100)).toBeCloseTo(0.5);
    expect([0, 1e-9, 50].map((kl) => lensAmount({ ...cell, kl }, 'kl', 100))).toEqual([1, 1, 0]);
  });

  it('stays on the ramp for extreme values', () => {
    expect(lensAmount({ ...cell, targetProb: 0 }, 'target', 100)).toBe(0);
    expect(lensAmount({ ...cell, targetProb: 1e-30 }, 'target', 100)).toBe(0);
    expect(lensAmount({ ...cell, targetRank: 1e9 }, 'rank', 100)).toBe(0);
  });

  it('says what its ends mean', () => {
    expect(lensLegend('rank', 50288)).toMatchObject({ low: '50\u2009288', high: '1' });
  });
});

describe('tokenRuns', () => {
  it('joins neighbours and sets the output apart', () => {
    expect(tokenRuns([5, 5, 7, 7, 7, 7])).toEqual([
      { start: 0, end: 2 },
      { start: 2, end: 5 },
      { start: 5, end: 6 },
    ]);
  });

  it('stops where nothing is known yet', () => {
    expect(tokenRuns([5, 5, 7, 7], 1)).toEqual([{ start: 0, end: 1 }]);
    expect(tokenRuns([5, 5], 0)).toEqual([]);
  });
});

describe('runLabel', () => {
  it('cuts at three characters or more, otherwise says nothing', () => {
    expect(runLabel('·bathroom', 100, 6)).toBe('·bathroom');
    expect(runLabel('·bathroom', 30, 6)).toBe('·bat…');
    expect(runLabel('·bathroom', 20, 6)).toBe('');
    expect(runLabel('·a', 13, 6)).toBe('·a');
  });
});

describe('cellTexts', () => {
  it('leaves the number out before the token', () => {
    expect(cellTexts('hallway', '1 − 2.7e−5', 168, 6.3)).toEqual(['hallway', '1 − 2.7e−5']);
    expect(cellTexts('hallway', '1 − 2.7e−5', 104, 6.3)).toEqual(['hallway', '']);
    expect(cellTexts('hallway', '1 − 2.7e−5', 118, 6.3)).toEqual(['hallway', '1−2.7e−5']);
    expect(cellTexts('something longer', '1 − 2.7e−5', 130, 6.3)).toEqual(['something longer', '']);
    expect(cellTexts('something longer than that', '0.999', 130, 6.3)).toEqual(['something longer t…', '']);
    expect(cellTexts('hallway', '0.999', 104, 6.3)).toEqual(['hallway', '0.999']);
    expect(cellTexts('', '1 − 2.7e−5', 104, 6.3)).toEqual(['', '1 − 2.7e−5']);
  });
});
