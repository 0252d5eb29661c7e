import { describe, expect, it } from 'vitest';
import { fitWindow, following, mapFrame, panned, sameWindow, spanned, wholeWindow, zoomedAt } from './window';

const L = 100;
const window = { rows: [40, 60], columns: [10, 30] } as const;

describe('windows', () => {
  it('are the same with the same rows and columns', () => {
    expect(sameWindow(null, null)).toBe(true);
    expect(sameWindow(window, { rows: [40, 60], columns: [10, 30] })).toBe(true);
    expect(sameWindow(window, { rows: [40, 60], columns: [10, 31] })).toBe(false);
    expect(sameWindow(window, { rows: [41, 60], columns: [10, 30] })).toBe(false);
    expect(sameWindow(window, null)).toBe(false);
    expect(sameWindow(null, window)).toBe(false);
  });

  it('spans two corners in any order, both included', () => {
    const expected = { rows: [30, 51], columns: [5, 21] };
    expect(spanned({ destination: 30, source: 20 }, { destination: 50, source: 5 }, L)).toEqual(expected);
  });

  it('shows at least four tokens and stays inside the map', () => {
    expect(spanned({ destination: 99, source: 99 }, { destination: 99, source: 99 }, L)).toEqual({
      rows: [96, 100],
      columns: [96, 100],
    });
    expect(fitWindow({ rows: [-5, 400], columns: [90, 130] }, L)).toEqual({ rows: [0, 100], columns: [60, 100] });
  });

  it('is null where all is shown', () => {
    expect(fitWindow(wholeWindow(L), L)).toBeNull();
    expect(zoomedAt(window, 0.01, { destination: 50, source: 20 }, L)).toBeNull();
  });

  it('keeps the point under the pointer in its place', () => {
    const zoomed = zoomedAt(wholeWindow(L), 2, { destination: 75, source: 25 }, L);
    expect(zoomed?.rows).toEqual([38, 88]);
    expect(zoomed?.columns).toEqual([13, 63]);
  });

  it('pans to the edges and no further', () => {
    expect(panned(window, 5, -5, L)).toEqual({ rows: [45, 65], columns: [5, 25] });
    expect(panned(window, 500, -500, L)).toEqual({ rows: [80, 100], columns: [0, 20] });
  });

  it('follows a cell by the least step', () => {
    expect(following(window, { destination: 60, source: 9 }, L)).toEqual({ rows: [41, 61], columns: [9, 29] });
    expect(following(window, { destination: 50, source: 20 }, L)).toEqual(window);
  });
});

describe('mapFrame', () => {
  const frame = mapFrame({ row0: 40, row1: 60, column0: 30, column1: 50 }, 200);

  it('places cells and finds them again', () => {
    expect([frame.x(31), frame.y(42)]).toEqual([10, 20]);
    expect(frame.at(15, 25)).toEqual({ destination: 42, source: 31 });
  });

  it('knows only causal cells of its own', () => {
    expect(frame.at(195, 5)).toBeUndefined();
    expect(frame.at(-1, 5)).toBeUndefined();
    expect(frame.at(5, 200)).toBeUndefined();
    expect(frame.nearest(-40, 999)).toEqual({ destination: 59, source: 30 });
  });
});
