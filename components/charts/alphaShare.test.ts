import { describe, expect, it } from 'vitest';
import { alphaShare } from './alphaShare';

describe('the share of α', () => {
  const map = Float32Array.of(1, 0, 0, 2, -2, 0, 1, -3, 4);

  it('is the magnitude that comes from the span, up to the row', () => {
    expect(alphaShare(map, 3, 2, [0, 2])).toBeCloseTo(0.5, 12);
    expect(alphaShare(map, 3, 1, [1, 3])).toBeCloseTo(0.5, 12);
  });

  it('is not a number where nothing is read', () => {
    expect(alphaShare(new Float32Array(9), 3, 2, [0, 1])).toBeNaN();
  });
});
