import { expect, it } from 'vitest';
import { curveFinding } from './curveFinding';

it('names the output and the block that changes the curve most', () => {
  const { output, layer, change } = curveFinding([0.1, 0.2, 0.9, 0.5, 0.6]);
  expect([output, layer]).toEqual([0.6, 1]);
  expect(change).toBeCloseTo(0.7);
  expect(curveFinding([5, 1, 2, 2]).change).toBe(-4);
});

it('says nothing of what is not known', () => {
  expect(curveFinding([null, 0.2, undefined, 0.5, null])).toEqual({});
  expect(curveFinding([1, 1, 1])).toEqual({ output: 1 });
});
