import { describe, expect, it } from 'vitest';
import { mapLayout, snapCell } from './mapLayout';

const wide = { width: 1088, narrow: false, devicePixelRatio: 1, ownLabels: false, headHeights: [] };

describe('mapLayout', () => {
  it('fits two maps beside each other at 1440', () => {
    for (const L of [8, 52, 64, 90, 200, 512]) {
      const { maps, cell } = mapLayout({ ...wide, lengths: [L, L] });
      expect(maps[0].left + maps[0].size).toBeLessThan(maps[1].left);
      expect(maps[1].left + maps[1].size).toBeLessThanOrEqual(1088);
      expect(maps[0].size).toBeCloseTo(cell * L);
    }
  });

  it('staggers labels between 5 and 11 px a cell', () => {
    expect(mapLayout({ ...wide, lengths: [52, 52] }).lanes).toBe(2);
    expect(mapLayout({ ...wide, lengths: [30, 30] }).lanes).toBe(1);
    expect(mapLayout({ ...wide, lengths: [200, 200] }).lanes).toBe(1);
  });

  it('stacks A above B when narrow, with room for the heads', () => {
    const { maps, height } = mapLayout({
      width: 366,
      lengths: [52, 52],
      narrow: true,
      devicePixelRatio: 2,
      ownLabels: false,
      headHeights: [54, 124],
    });
    expect(maps[0].top).toBe(54);
    expect(maps[1].top).toBeGreaterThan(maps[0].top + maps[0].size + 124);
    expect(maps[1].left + maps[1].size).toBeLessThanOrEqual(366);
    expect(height).toBeGreaterThan(maps[1].top + maps[1].size);
  });

  it('stands four maps in a row, and the next four below with room for heads', () => {
    const { maps, height } = mapLayout({
      ...wide,
      lengths: Array(8).fill(64),
      columns: 4,
      headHeights: Array(8).fill(30),
      marginals: true,
    });
    expect(maps[3].left + maps[3].size + 26).toBeLessThanOrEqual(1088);
    expect(maps[0].left + maps[0].size + 26).toBeLessThan(maps[1].left);
    expect(maps.map(({ top }) => top)).toEqual([...Array(4).fill(30), ...Array(4).fill(maps[4].top)]);
    expect(maps[4].top).toBeGreaterThan(30 + maps[0].size + 26 + 30);
    expect(height).toBeGreaterThan(maps[4].top + maps[4].size);
  });

  it('gives every map its own label column when tokenizers differ', () => {
    const { maps, gutter } = mapLayout({ ...wide, ownLabels: true, lengths: [52, 60] });
    expect(maps[1].left - (maps[0].left + maps[0].size)).toBeGreaterThanOrEqual(gutter);
    expect(maps[1].left + maps[1].size).toBeLessThanOrEqual(1088);
  });
});

describe('snapCell', () => {
  it('takes whole device pixels when that costs at most 7 %', () => {
    expect(snapCell(9.3, 1)).toBe(9);
    expect(snapCell(9.3, 2)).toBe(9);
    expect(snapCell(2.9, 1)).toBe(2.9);
    expect(snapCell(1.4, 2)).toBe(1.4);
  });
});
