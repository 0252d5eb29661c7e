import { describe, expect, it } from 'vitest';
import { bandPath } from './band';

describe('bandPath', () => {
  const x = (column: number) => 10 * column;
  const y = (value: number) => 100 - value;

  it('goes along the upper ends and back along the lower ones, and breaks where nothing is known', () => {
    const path = bandPath(
      [{ low: 1, high: 2 }, { low: 3, high: 5 }, undefined, { low: null, high: 3 }, { low: 0, high: 1 }],
      x,
      y,
    );
    expect(path).toBe('M0.0,98.0L10.0,95.0L10.0,97.0L0.0,99.0ZM40.0,99.0L40.0,100.0Z');
  });

  it('is empty without intervals', () => {
    expect(bandPath([undefined, { low: Number.NaN, high: 1 }], x, y)).toBe('');
  });
});
