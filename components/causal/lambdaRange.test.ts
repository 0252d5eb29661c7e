import { describe, expect, it } from 'vitest';
import { layerAxis } from '../charts/layerAxis';
import { controlSizes, lambdaTop } from './lambdaRange';

describe('controls on the layer axis', () => {
  it('have their full size where there is room', () => {
    expect(controlSizes(layerAxis(1088, 24, false))).toEqual({ every: true, width: 26, numbers: true });
  });

  it('shrink to the columns of a deep model and never reach into the next', () => {
    const axis = layerAxis(1088, 48, false);
    const { every, width, numbers } = controlSizes(axis);
    expect(every).toBe(true);
    expect(width).toBeLessThanOrEqual(axis.pitch);
    expect(numbers).toBe(false);
  });

  it('are of the selected layer alone where columns are narrower than a hand can hit', () => {
    expect(controlSizes(layerAxis(366, 48, true))).toEqual({ every: false, width: 26, numbers: false });
  });

  it('reach above every λ of the model', () => {
    expect(lambdaTop([null, 0.8])).toBe(2);
    expect(lambdaTop([1.5, 3.2])).toBeGreaterThan(3.2);
    expect(lambdaTop([])).toBe(2);
  });
});
