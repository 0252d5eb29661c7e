import { describe, expect, it } from 'vitest';
import { axisLabels, labelText } from './axisLabels';

const axis = (to: number, pitch: number) =>
  axisLabels({ side: 'row', from: 0, to, pitch }, new Float32Array(to).fill(1), 1, false);

describe('labels of an axis', () => {
  it('are words where every token has one', () => {
    const all = axis(20, 12);
    expect(all.labels).toHaveLength(20);
    expect(labelText(all, 7, '·kitchen')).toBe('·kitchen');
  });

  it('begin with positions where tokens are left out, within the same room', () => {
    const some = axis(518, 1.2);
    expect(some.labels.length).toBeLessThan(60);
    expect(labelText(some, 7, '·the')).toBe('7 ·the');
    const long = labelText(some, 517, '·kitchenette');
    expect(long).toMatch(/^517 ·kitch.*…$/);
    expect([...long].length).toBeLessThanOrEqual(some.limit);
  });
});
