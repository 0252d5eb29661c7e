import { describe, expect, it } from 'vitest';
import { thumbnail } from './thumbnail';

describe('thumbnail', () => {
  it('keeps the value of largest magnitude with its sign', () => {
    const L = 4;
    const map = new Float32Array(L * L);
    map[2 * L + 0] = 0.5;
    map[3 * L + 1] = -2;
    map[3 * L + 3] = 1;
    const { data, size } = thumbnail(map, L, 2);
    expect(size).toBe(2);
    expect([...data]).toEqual([0, 0, -2, 1]);
  });

  it('leaves a small map as it is', () => {
    const map = Float32Array.of(1, 0, 2, 3);
    expect(thumbnail(map, 2, 56)).toEqual({ data: map, size: 2 });
  });

  it('puts every value of the triangle into some cell', () => {
    const L = 7;
    for (let i = 0; i < L; i++)
      for (let j = 0; j <= i; j++) {
        const map = new Float32Array(L * L);
        map[i * L + j] = 9;
        expect(thumbnail(map, L, 3).data.filter((value) => value === 9)).toHaveLength(1);
      }
  });
});
