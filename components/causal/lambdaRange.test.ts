import { describe, expect, it } from 'vitest';
import { layerAxis } from '../charts/layerAxis';
import { controlPlaces, lambdaTop } from './lambdaRange';

describe('controls on the layer axis', () => {
  it('stand at every layer where they fit', () => {
    const axis = layerAxis(1088, 24, false);
    const { layers, x, onAxis } = controlPlaces(axis, 3);
    expect(onAxis).toBe(true);
    expect(layers).toHaveLength(24);
    expect(x(5)).toBe(axis.x(5));
  });

  it('stand around the selected layer where they do not', () => {
    const axis = layerAxis(366, 48, true);
    const { layers, x, onAxis } = controlPlaces(axis, 30);
    expect(onAxis).toBe(false);
    expect(layers).toContain(30);
    for (const layer of layers.slice(1)) expect(x(layer) - x(layer - 1)).toBeGreaterThanOrEqual(26);
    expect(x(layers[layers.length - 1])).toBeLessThan(366);
  });

  it('reach above every λ of the model', () => {
    expect(lambdaTop([null, 0.8])).toBe(2);
    expect(lambdaTop([1.5, 3.2])).toBeGreaterThan(3.2);
    expect(lambdaTop([])).toBe(2);
  });
});
