import { describe, expect, it } from 'vitest';
import { halfToFloat } from '@/lib/safetensors/dtype';
import { NO_VALUE, quantileOf, toHalf } from './half';

const row = (...values: number[]) => {
  const L = values.length;
  const map = new Float32Array(L * L);
  map.set(values, L * (L - 1));
  return { map, L };
};
const back = ({ map, L }: ReturnType<typeof row>, peak?: number) => {
  const half = toHalf(map, L, peak);
  return { values: [...half.bits.slice(L * (L - 1))].map((bits) => halfToFloat(bits) * half.unit), half };
};

describe('toHalf', () => {
  it('keeps values to one part in 2048, signs and zeros exactly', () => {
    const values = [3.7, -1.234e-3, 0, 5e-7, -3.69999, 0.1];
    const { values: found } = back(row(...values));
    found.forEach((value, k) => {
      expect(Math.abs(value - values[k])).toBeLessThanOrEqual(Math.abs(values[k]) / 2048);
      expect(Math.sign(value)).toBe(Math.sign(values[k]));
    });
  });

  it('serves tiny and huge maps alike', () => {
    for (const scale of [1e-30, 1e-6, 1, 1e9, 1e30]) {
      const { values } = back(row(scale, -scale / 1000, scale / 3));
      expect(values[0] / scale).toBeCloseTo(1, 3);
      expect((values[1] / scale) * 1000).toBeCloseTo(-1, 3);
    }
  });

  it('drops what lies above the diagonal and marks what is no number', () => {
    const map = Float32Array.of(1, 9, Number.NaN, 2);
    const { bits, peak } = toHalf(map, 2);
    expect(bits[1]).toBe(0);
    expect(bits[2]).toBe(NO_VALUE);
    expect(peak).toBe(9);
  });

  it('gives maps with one peak one unit', () => {
    expect(back(row(1, 2), 100).half.unit).toBe(back(row(0.001, 7), 100).half.unit);
  });
});

describe('quantileOf', () => {
  it('ranks magnitudes of maps with different units together', () => {
    const small = row(...Array.from({ length: 500 }, (_, k) => (k + 1) / 1024));
    const large = row(...Array.from({ length: 500 }, (_, k) => -(k + 1)));
    const halves = [toHalf(small.map, small.L), toHalf(large.map, large.L)];
    expect(quantileOf(halves, 0)).toBeCloseTo(1 / 1024, 6);
    expect(quantileOf(halves, 0.5)).toBeCloseTo(1, 3);
    expect(quantileOf(halves, 0.998)).toBeCloseTo(499, 0);
    expect(quantileOf(halves, 1)).toBeCloseTo(500, 0);
  });
});
