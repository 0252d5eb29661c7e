import { describe, expect, it } from 'vitest';
import { stepPath, trackScale } from './trackRows';

describe('trackScale', () => {
  it('is shared, begins at zero, and shows what is below', () => {
    const { y, low, high } = trackScale([[2, 3], [5]], false, 40, 4);
    expect([low, high, y(0), y(5)]).toEqual([0, 5, 40, 4]);
    expect(trackScale([[-1, 1]], false, 40, 4).low).toBe(-1);
  });

  it('spans the data on a logarithmic axis, and survives what has no logarithm', () => {
    const { y, low, high } = trackScale([[1, 100, Number.POSITIVE_INFINITY, 0]], true, 40, 4);
    expect([low, high]).toEqual([1, 100]);
    expect(y(10)).toBeCloseTo(22);
    for (const values of [[], [0], [7]]) {
      const scale = trackScale([values], true, 40, 4);
      expect(scale.low).toBeGreaterThan(0);
      expect(scale.high).toBeGreaterThan(scale.low);
    }
    expect(trackScale([[0, 0]], false, 40, 4).y(0)).toBe(40);
  });
});

describe('stepPath', () => {
  it('is as wide as a token at each value, and breaks where there is none', () => {
    expect(
      stepPath(
        [1, 2, Number.NaN, 3],
        (t) => 10 * t,
        (v) => v,
      ),
    ).toBe('M0.0,1.0H10.0V2.0H20.0M30.0,3.0H40.0');
  });
});
