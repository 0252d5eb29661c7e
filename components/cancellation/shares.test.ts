import { describe, expect, it } from 'vitest';
import { type Batch, barsOf, cancellationTable, curveOf, type Single, verdict } from './shares';

const form = (needle: number, noise: number) => ({
  sources: { first: [needle, noise], second: [0, 1], difference: [needle, noise - 1] },
  needle: { first: needle, second: 0, difference: needle },
  noise: { first: noise, second: 1, difference: noise - 1 },
  share: { first: needle / (needle + noise), second: 0, difference: needle / (needle + noise - 1) },
  removed: { needle: 0, noise: 1 / noise },
});
const single = {
  kind: 'cancellation',
  position: 1,
  needle: [0, 1],
  layers: [{ layer: 2, lambda: 1, logit: form(1, 4), norm: form(2, 2), rest: 0, total: 0, reconstructionError: 0 }],
} as Single;
const estimate = (mean: number) => ({ mean, stderr: 0.1, low: mean - 0.1, high: mean + 0.1, n: 5 });
const summary = {
  share: { first: estimate(0.5), second: estimate(0.2), difference: estimate(0.6) },
  gain: estimate(0.1),
  removed: { needle: estimate(0), noise: estimate(0.3) },
};
const batch = {
  kind: 'cancellation_batch',
  examples: 5,
  of: 5,
  layers: [{ layer: 1, lambda: 1, logit: summary, norm: summary, reconstructionError: 0 }],
} as Batch;

describe('cancellation in figures', () => {
  it('draws shares of one, or magnitudes as they are', () => {
    expect(barsOf(single, 'norm', 'share').map(({ needle, whole }) => [needle, whole])).toEqual([
      [0.5, 1],
      [0, 1],
      [2 / 3, 1],
    ]);
    expect(barsOf(single, 'logit', 'mass')[2]).toEqual({ layer: 2, branch: 'difference', needle: 1, whole: 4 });
    expect(barsOf(undefined, 'norm', 'share')).toEqual([]);
  });

  it('puts a batch onto the layer axis', () => {
    const curve = curveOf(batch, 'norm', 'difference', 3);
    expect(curve).toHaveLength(5);
    expect(curve[2]?.mean).toBe(0.6);
    expect(curve.filter(Boolean)).toHaveLength(1);
  });

  it('says what the subtraction does', () => {
    expect(verdict(0.1, { needle: 0.1, noise: 0.4 })).toBe('cancels noise');
    expect(verdict(0.1, { needle: -2, noise: -1 })).toBe('adds less to noise');
    expect(verdict(0.1, { needle: 0.4, noise: 0.1 })).toBe('favours the needle');
    expect(verdict(-0.1, { needle: 0, noise: 0 })).toBe('favours noise');
    expect(verdict(null, { needle: 0, noise: 0 })).toBe('–');
  });

  it('has every number as a table', () => {
    const one = cancellationTable([{ slot: 'B', single, batch: undefined }], 'norm', 4);
    expect(one.columns).toHaveLength(10);
    expect(one.rows).toEqual([['B layer 2', 2, 2, 0.5, 0, 1, 0, 2, 1, 2 / 3]]);
    const many = cancellationTable([{ slot: 'B', single, batch }], 'norm', 4);
    expect(many.rows[0]).toHaveLength(many.columns.length);
    expect(many.rows[0][0]).toBe('B layer 1');
  });
});
