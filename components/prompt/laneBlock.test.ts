import { describe, expect, it } from 'vitest';
import { laneBlock } from './laneBlock';

describe('the drawn part of the lanes', () => {
  it('is the whole of a list that fits', () => {
    expect(laneBlock({ scrollTop: 0, viewHeight: 150, listHeight: 120 })).toEqual({ top: 0, height: 120 });
  });

  it('covers what is in view wherever the list is scrolled to, and half a view around it', () => {
    const [viewHeight, listHeight] = [150, 2800];
    for (let scrollTop = 0; scrollTop <= listHeight - viewHeight; scrollTop += 7) {
      const { top, height } = laneBlock({ scrollTop, viewHeight, listHeight });
      expect(top).toBeLessThanOrEqual(Math.max(0, scrollTop - viewHeight / 2));
      expect(top + height).toBeGreaterThanOrEqual(Math.min(listHeight, scrollTop + 1.5 * viewHeight));
      expect(top).toBeGreaterThanOrEqual(0);
      expect(top + height).toBeLessThanOrEqual(listHeight);
      expect(height).toBeLessThan(3 * viewHeight);
    }
  });

  it('stays while little is scrolled', () => {
    const at = (scrollTop: number) => laneBlock({ scrollTop, viewHeight: 150, listHeight: 2800 }).top;
    expect(at(151)).toBe(at(220));
  });
});
