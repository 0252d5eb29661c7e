import { describe, expect, it } from 'vitest';
import type { View } from '../data/view';
import { gridCost } from './GridWaits';

const models = (...sizes: [layers: number, position: number][]) =>
  ({ models: sizes.map(([layers, position]) => ({ layers, position })) }) as unknown as View;

describe('gridCost', () => {
  it('counts a cell a layer and token of every model, each half a forward pass', () => {
    expect(gridCost(models([4, 28], [4, 28]))).toEqual({ cells: 232, passes: 116 });
    expect(gridCost(models([3, 0]))).toEqual({ cells: 3, passes: 2 });
  });
});
