import { describe, expect, it } from 'vitest';
import { curveScale } from '@/lib/figures/scale';
import { firstLayerAbove, segments } from './curve';

describe('logarithmic curve axis', () => {
  it('goes down to the data in whole decades', () => {
    const { y, ticks } = curveScale([3e-7, 0.4, null], true, 188, 10);
    expect(y(1)).toBeCloseTo(10);
    expect(y(1e-7)).toBeCloseTo(188);
    expect(ticks[0].text).toBe('10');
    expect(ticks[ticks.length - 1].text).toBe('1');
  });

  it('stops at 1e−12 and puts smaller values on the floor', () => {
    const { y, below } = curveScale([1e-20, 0.5], true, 188, 10);
    expect(y(1e-20)).toBe(y(1e-12));
    expect(below(1e-20)).toBe(true);
    expect(below(1e-12)).toBe(false);
  });

  it('leaves room between tick labels', () => {
    for (const least of [0.3, 1e-3, 1e-7, 1e-12]) {
      const { ticks } = curveScale([least], true, 188, 10);
      for (let k = 1; k < ticks.length; k++) expect(ticks[k - 1].y - ticks[k].y).toBeGreaterThanOrEqual(12);
    }
  });
});

describe('linear curve axis', () => {
  it('always shows zero', () => {
    for (const values of [[2, 5], [-5, -2], [-1, 3], []])
      expect(curveScale(values, false, 188, 10).ticks.some((tick) => tick.zero)).toBe(true);
  });
});

describe('segments', () => {
  it('breaks the line where values are absent', () => {
    expect(segments([null, 1, 2, null, Number.NaN, 5])).toEqual([
      [
        { layer: 0, value: 1 },
        { layer: 1, value: 2 },
      ],
      [{ layer: 4, value: 5 }],
    ]);
  });
});

describe('firstLayerAbove', () => {
  it('counts blocks only, from 0', () => {
    expect(firstLayerAbove([0.9, 0.01, 0.2, 0.3, 0.9])).toBe(1);
    expect(firstLayerAbove([0.9, 0.01, 0.9])).toBeUndefined();
  });
});
