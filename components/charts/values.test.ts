import { describe, expect, it } from 'vitest';
import { toHalf } from './half';
import { exceeds, legendTicks, rowShares, saturation, valueScale } from './values';

describe('valueScale', () => {
  it.each(['linear', 'log'] as const)('is symmetric at zero (%s)', (mode) => {
    const { position } = valueScale(0.7, true, mode);
    expect(position(0)).toBe(0.5);
    for (const v of [1e-5, 0.01, 0.3, 0.7, 4]) expect(position(v) + position(-v)).toBeCloseTo(1, 12);
    expect(position(0.7)).toBe(1);
    expect(position(-9)).toBe(0);
  });

  it('shows small values more strongly on the logarithmic scale', () => {
    expect(valueScale(1, false, 'log').position(0.01)).toBeGreaterThan(
      valueScale(1, false, 'linear').position(0.01) * 10,
    );
  });

  it('starts at 0 where unsigned', () => {
    expect(valueScale(2, false, 'linear').position(1)).toBe(0.5);
    expect(valueScale(2, false, 'linear').position(-1)).toBe(0);
  });

  it('marks both ends and zero', () => {
    expect(legendTicks(valueScale(2, true, 'linear'))).toEqual([-2, -1, 0, 1, 2]);
    expect(legendTicks(valueScale(2, false, 'linear'))).toEqual([0, 1, 2]);
  });
});

/** A map whose last row holds the values. */
function lastRow(values: ArrayLike<number>) {
  const L = values.length;
  const map = new Float32Array(L * L);
  map.set(values, L * (L - 1));
  return toHalf(map, L);
}

describe('saturation', () => {
  it('is the percentile over both maps together', () => {
    const a = lastRow(Float32Array.from({ length: 500 }, (_, k) => k + 1));
    const b = lastRow(Float32Array.from({ length: 500 }, (_, k) => -(k + 501)));
    expect(saturation([a, b])).toBe(999);
    expect(exceeds([a, b], 998)).toBe(true);
    expect(exceeds([a, b], 1000)).toBe(false);
  });

  it('ignores zeros and never returns zero', () => {
    expect(saturation([lastRow([0, 0, 3])])).toBe(3);
    expect(saturation([lastRow([0, 0, 0])])).toBe(1);
  });
});

describe('rowShares', () => {
  it('divides by the row sum of magnitudes, keeping signs and zero rows', () => {
    expect([...rowShares(Float32Array.of(0, 0, -3, 1), 2)]).toEqual([0, 0, -0.75, 0.25]);
  });
});
