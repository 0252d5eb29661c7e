import { describe, expect, it } from 'vitest';
import { axisTicks, focusWindow, layerAxis, layerName } from './layerAxis';

describe('layerAxis', () => {
  it('has the pitch of the specification at 1088 px', () => {
    expect(layerAxis(1088, 48, false).pitch).toBeCloseTo(20.16, 2);
    expect(layerAxis(1088, 6, false).pitch).toBe(126);
  });

  it('finds the layer under its own centre', () => {
    const axis = layerAxis(366, 48, true);
    for (let layer = -1; layer <= 48; layer++) expect(axis.at(axis.x(layer))).toBe(layer);
    expect(axis.at(-100)).toBe(-1);
    expect(axis.at(1e6)).toBe(48);
  });

  it('names the ends with words', () => {
    expect([-1, 0, 5].map((layer) => layerName(layer, 5))).toEqual(['embedding', 'layer 0', 'output']);
  });
});

describe('axisTicks', () => {
  it('never lets two labels stand closer than 20 px', () => {
    for (const width of [340, 366, 700, 1088])
      for (const layers of [4, 6, 24, 48])
        for (const selected of [0, 1, Math.floor(layers / 2), layers - 1]) {
          const axis = layerAxis(width, layers, width < 500);
          if (axis.pitch < 20)
            // A pill stands where the label of the selected layer would.
            for (const ticks of [
              axisTicks(axis, selected, false),
              [...new Set([...axisTicks(axis, selected, true), selected])],
            ]) {
              ticks.sort((a, b) => a - b);
              for (let k = 1; k < ticks.length; k++)
                expect((ticks[k] - ticks[k - 1]) * axis.pitch).toBeGreaterThanOrEqual(20);
            }
          expect(axisTicks(axis, selected, false)).toContain(selected);
        }
  });

  it('names blocks only where nothing stands at the ends', () => {
    const axis = layerAxis(1088, 4, false);
    expect(axisTicks(axis, 1, false)).toEqual([-1, 0, 1, 2, 3, 4]);
    expect(axisTicks(axis, 1, false, false)).toEqual([0, 1, 2, 3]);
  });
});

describe('focusWindow', () => {
  it('keeps the selection inside and never leaves the model', () => {
    for (let selected = 0; selected < 48; selected++) {
      const { first, count } = focusWindow(48, selected, 11);
      expect(count).toBe(11);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(first + count).toBeLessThanOrEqual(48);
      expect(selected).toBeGreaterThanOrEqual(first);
      expect(selected).toBeLessThan(first + count);
    }
    expect(focusWindow(5, 2, 11)).toEqual({ first: 0, count: 5 });
  });
});
