import { describe, expect, it } from 'vitest';
import type { LensCell } from '../charts/lensCells';
import { cellDifference, differenceLimit } from './lensDifference';

const a: LensCell = { topId: 1, topProb: 0.5, targetProb: 1e-4, targetRank: 100, entropy: 2, kl: 3 };
const b: LensCell = { topId: 2, topProb: 0.75, targetProb: 1e-2, targetRank: 1, entropy: 1.5, kl: 1 };

describe('the difference of two lenses', () => {
  it('is B − A in the unit of its colour; a better rank counts up', () => {
    const of = (colour: Parameters<typeof cellDifference>[2]) => cellDifference(a, b, colour);
    expect([of('top'), of('target'), of('rank'), of('entropy'), of('kl')]).toEqual([
      0.25,
      expect.closeTo(2),
      2,
      -0.5,
      -2,
    ]);
  });

  it('is absent where a model has no cell, or no logarithm', () => {
    expect(cellDifference(a, undefined, 'top')).toBeUndefined();
    expect(cellDifference(a, { ...b, targetProb: 0 }, 'target')).toBeUndefined();
  });

  it('ends its ramp at the largest magnitude, within bounds', () => {
    expect(differenceLimit([0.1, -0.4, undefined], 'top')).toBe(0.4);
    expect(differenceLimit([30], 'kl')).toBe(12);
    expect(differenceLimit([0, undefined], 'entropy')).toBe(1);
  });
});
