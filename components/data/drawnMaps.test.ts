import { describe, expect, it } from 'vitest';
import { cellsOf } from './drawnMaps';

describe('the cells of a map', () => {
  it('are made once for each way of drawing', () => {
    const data = Float32Array.of(1, 0, 0.5, 2);
    expect(cellsOf(data, 2, 'linear')).toBe(cellsOf(data, 2, 'log'));
    expect(cellsOf(data, 2, 'row')).not.toBe(cellsOf(data, 2, 'linear'));
  });

  it('leave the identity out of products that hold it, before rows are shared out', () => {
    const data = Float32Array.of(1, 0, 0.5, 1.5);
    expect([...cellsOf(data, 2, 'linear', false).values]).toEqual([0, 0, 0.5, 0.5]);
    expect([...cellsOf(data, 2, 'row', false).values]).toEqual([0, 0, 0.5, 0.5]);
    expect([...data]).toEqual([1, 0, 0.5, 1.5]);
  });
});
