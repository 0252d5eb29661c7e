import { describe, expect, it } from 'vitest';
import { layerAxis } from '../charts/layerAxis';
import { endsOf, extended, gridLayout, movedCell, strongestCells, strongestRow, UNTESTED } from './grid';

describe('the grid of layers by tokens', () => {
  const axis = layerAxis(1088, 4, false);

  it('stands on the layer axis, A left of B', () => {
    const layout = gridLayout(axis, 20, 2);
    const [a, b] = [layout.cell(2, 0), layout.cell(2, 1)];
    expect(a.x).toBeCloseTo(axis.x(2) - axis.pitch / 2, 6);
    expect(b.x).toBeGreaterThan(a.x + a.width - 1e-9);
    expect(b.x + b.width).toBeLessThanOrEqual(axis.x(2) + axis.pitch / 2);
  });

  it.each([1, 2])('finds the cell under a point with %i models', (models) => {
    const layout = gridLayout(axis, 20, models);
    for (const layer of [0, 3])
      for (const row of [0, 19])
        for (let model = 0; model < models; model++) {
          const { x, width } = layout.cell(layer, model);
          expect(layout.at(x + width / 2, layout.y(row) + 1)).toEqual({ layer, row, model });
        }
    expect(layout.at(axis.x(-1), layout.y(0))).toBeUndefined();
    expect(layout.at(axis.x(4), layout.y(0))).toBeUndefined();
    expect(layout.at(axis.x(0), layout.height + 1)).toBeUndefined();
  });

  it('keeps rows readable however many there are', () => {
    expect(gridLayout(axis, 5, 1).row).toBe(18);
    expect(gridLayout(axis, 500, 1).row).toBe(12);
  });

  it('ranks by magnitude and leaves out what is not there', () => {
    const rows = [
      [0.1, -3, null],
      [2, undefined, Number.NaN],
    ];
    expect(strongestCells((layer, token) => rows[layer][token], 2, 3, 2)).toEqual([
      { layer: 0, position: 1, value: -3 },
      { layer: 1, position: 0, value: 2 },
    ]);
  });

  it('ranks tokens that were tested together once, by their first', () => {
    const spans = [
      [0, 3],
      [3, 4],
    ] as const;
    const spanOf = (token: number) => spans.find(([, end]) => token < end);
    const values = Object.assign((_: number, token: number) => (token < 3 ? 1 : 0.5), { spanOf });
    expect(strongestCells(values, 1, 4, 5)).toEqual([
      { layer: 0, position: 0, value: 1 },
      { layer: 0, position: 3, value: 0.5 },
    ]);
    expect([1, 3].map((token) => endsOf(values, token))).toEqual([
      [0, 2],
      [3, 3],
    ]);
  });

  it('finds the row with the largest value of any model, whatever its sign, and none where nothing is known', () => {
    const models = [
      { layers: 2, own: (row: number) => row },
      { layers: 1, own: (row: number) => (row === 0 ? undefined : row - 1) },
    ];
    const a = (layer: number, token: number) => (token === 3 ? UNTESTED : layer === 1 && token === 1 ? 0.5 : 0.1);
    const b = (_: number, token: number) => (token === 4 ? -2 : null);
    expect(strongestRow([a, undefined], models, 6)).toBe(1);
    expect(strongestRow([a, b], models, 6)).toBe(5);
    expect(strongestRow([() => undefined, undefined], models, 6)).toBeUndefined();
    expect(strongestRow([() => 0, undefined], models, 6)).toBeUndefined();
  });

  it('moves a cursor inside its bounds', () => {
    const cell = { layer: 3, position: 0 };
    expect(movedCell(cell, 'ArrowRight', 1, 4, 9)).toEqual(cell);
    expect(movedCell(cell, 'ArrowDown', 8, 4, 5)).toEqual({ layer: 3, position: 4 });
    expect(movedCell(cell, 'End', 1, 4, 5)).toEqual({ layer: 3, position: 4 });
    expect(movedCell(cell, 'x', 1, 4, 5)).toBeUndefined();
  });

  it('extends a span from the end that does not move', () => {
    expect(extended(null, 4, 5)).toEqual([4, 5]);
    expect(extended([4, 5], 5, 6)).toEqual([4, 6]);
    expect(extended([4, 6], 4, 3)).toEqual([3, 6]);
    expect(extended([4, 6], 9, 8)).toEqual([8, 9]);
  });
});
