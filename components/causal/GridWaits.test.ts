import { describe, expect, it } from 'vitest';
import type { View } from '../data/view';
import { gridCost } from './GridWaits';

const models = (...sizes: [layers: number, position: number, forwardMs?: number][]) =>
  ({
    models: sizes.map(([layers, position, forwardMs]) => ({ layers, position, model: { forwardMs } })),
  }) as unknown as View;

describe('gridCost', () => {
  it('counts a cell a layer and token of every model, each half a forward pass', () => {
    expect(gridCost(models([4, 28], [4, 28]))).toMatchObject({ cells: 232, passes: 116 });
    // A knock-out runs every cell with and without frozen norms.
    expect(gridCost(models([4, 28], [4, 28]), 2)).toMatchObject({ cells: 232, passes: 232 });
    expect(gridCost(models([3, 0]))).toMatchObject({ cells: 3, passes: 2 });
  });

  it('takes the time of its forward passes, as the run measured them', () => {
    expect(gridCost(models([4, 28, 10], [4, 28, 30])).seconds).toBeCloseTo(2.32);
    expect(gridCost(models([4, 28, 10], [4, 28])).seconds).toBeUndefined();
  });
});
