import { describe, expect, it } from 'vitest';
import { doseChart } from './dose';

const dose = (values: readonly (number | null)[]) => ({
  slot: 'B' as const,
  points: values.map((value, k) => ({ lambda: k / 2, value })),
});

describe('λ as a dose', () => {
  it('has a point for every value that is there, and the model as it is at 1', () => {
    const { lines, x, ticks } = doseChart([dose([0, 2, 4, null, 8])], [40, 240, 10, 110]);
    expect(lines[0].at.map(({ lambda }) => lambda)).toEqual([0, 0.5, 1, 2]);
    expect(lines[0].at[2]).toEqual({ x: x(1), y: 60, lambda: 1, value: 4 });
    expect(x(1)).toBe(140);
    expect(ticks.at(-1)).toEqual({ x: 240, text: '2×' });
  });

  it('reaches as far as the own λ where only smaller ones were tried', () => {
    const { x, lines } = doseChart([dose([1, 2])], [0, 100, 0, 100]);
    expect(x(1)).toBe(100);
    expect(lines[0].at[1].x).toBe(50);
  });
});
