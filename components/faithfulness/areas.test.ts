import { describe, expect, it } from 'vitest';
import type { FaithfulnessResult } from '@/lib/api/faithfulness';
import { areaDots, areaTable, type Measured, ROW } from './areas';

type OrderResult = FaithfulnessResult['models'][number]['orders'][number];

const curves = (mean: number) => ({
  deletion_area: { mean, low: mean - 0.1, high: mean + 0.1 },
  insertion_area: { mean: 1 - mean, low: 0.9 - mean, high: 1.1 - mean },
  above_random: { mean: 0.5, low: 0.4, high: 0.6 },
  deletion: [1, 0],
  insertion: [0, 1],
});
const order = (name: OrderResult['order'], mean: number): OrderResult => ({
  order: name,
  ...curves(mean),
  frozen_norms: curves(mean / 2),
});
const found: Measured[] = [
  { slot: 'A', orders: [order('norm', 0.2), order('logit', 0.4)] },
  { slot: 'B', orders: [order('norm', 0.3), { ...order('logit', 0.5), deletion_area: null }] },
];

describe('areas of deletion and insertion curves', () => {
  it('stand in a row for each order, the models beside each other, what is not defined left out', () => {
    const { dots, orders, height } = areaDots(found, 'deletion_area', 'rescale', [100, 300]);
    expect(orders).toEqual(['norm', 'logit']);
    expect(height).toBe(2 * ROW);
    expect(dots.map(({ slot, order: name }) => `${slot} ${name}`)).toEqual(['A norm', 'A logit', 'B norm']);
    expect(dots[0].x).toBeCloseTo(140, 6);
    expect([dots[0].from, dots[0].to]).toEqual([expect.closeTo(120, 6), expect.closeTo(160, 6)]);
    expect(dots[2].y).toBeGreaterThan(dots[0].y);
    expect(Math.floor(dots[1].y / ROW)).toBe(1);
  });

  it('are those of frozen norms where asked for, on an axis that reaches as far as they do', () => {
    const { dots } = areaDots(found, 'deletion_area', 'frozen', [100, 300]);
    expect(dots[0].x).toBeCloseTo(120, 6);
    const far = [{ slot: 'A' as const, orders: [order('norm', 1.9)] }];
    const { dots: wide } = areaDots(far, 'deletion_area', 'rescale', [0, 200]);
    expect(wide[0].to).toBeLessThanOrEqual(200);
  });

  it('are all in the table, with intervals', () => {
    const { columns, rows } = areaTable(found, '2 stories');
    expect(columns).toHaveLength(1 + 2 * 3 * 3);
    expect(rows[0][0]).toBe('A norm');
    expect(rows[0][columns.indexOf('deletion area, norms frozen')]).toBeCloseTo(0.1, 9);
    expect(rows[3][columns.indexOf('deletion area')]).toBeNull();
  });
});
