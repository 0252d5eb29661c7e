import { describe, expect, it } from 'vitest';
import { correlation, rankCorrelation } from './correlation';

describe('correlations', () => {
  it('are those of a worked example, with ties', () => {
    // scipy.stats: pearsonr([1, 2, 2, 5], [3, 1, 4, 9]) and spearmanr of the same.
    expect(correlation([1, 2, 2, 5], [3, 1, 4, 9])).toBeCloseTo(0.87646, 4);
    expect(rankCorrelation([1, 2, 2, 5], [3, 1, 4, 9])).toBeCloseTo(0.63246, 4);
  });

  it('see the order alone by ranks', () => {
    const values = [1, 2, 3, 4, 5];
    expect(rankCorrelation(values, values.map(Math.exp))).toBeCloseTo(1, 12);
    expect(
      rankCorrelation(
        values,
        values.map((value) => -value),
      ),
    ).toBeCloseTo(-1, 12);
    expect(correlation(values, values.map(Math.exp))).toBeLessThan(0.95);
  });

  it('are not defined of two values, or of one that never changes', () => {
    expect(correlation([1, 2], [1, 2])).toBeNaN();
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNaN();
  });
});
