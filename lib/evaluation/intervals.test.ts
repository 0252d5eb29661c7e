import { describe, expect, it } from 'vitest';
import { bootstrapMeans } from '@/lib/analysis';
import { Random } from '@/lib/random';
import { estimated, resamplingOf } from '.';

const random = new Random(7);
const drawn = (n: number, share: number) => Array.from({ length: n }, () => Number(random.uniform() < share));

describe('intervals', () => {
  it('of one seed are those of a bootstrap over examples', () => {
    const values = drawn(200, 0.3);
    const [{ mean, low, high }] = bootstrapMeans([Float64Array.from(values)], { random: new Random(3) });
    const own = estimated([values], resamplingOf(3));
    expect(own).toMatchObject({ mean, n: 200, seeds: 1 });
    expect(own?.low).toBeCloseTo(low, 1);
    expect(own?.high).toBeCloseTo(high, 1);
  });

  it('of several seeds cover how much trainings differ', () => {
    const apart = [drawn(300, 0.1), drawn(300, 0.5), drawn(300, 0.9)];
    const both = estimated(apart, resamplingOf(3));
    const pooled = estimated([apart.flat()], resamplingOf(3));
    const width = (one: typeof both) => Number(one?.high) - Number(one?.low);
    expect(both?.seeds).toBe(3);
    expect(width(both)).toBeGreaterThan(5 * width(pooled));
    expect(both?.mean).toBeCloseTo(pooled?.mean ?? 0, 12);
  });

  it('are the same at the same seed, absent without examples, and open for a single one', () => {
    expect(estimated([[1, 0, 1]], resamplingOf(3))).toEqual(estimated([[1, 0, 1]], resamplingOf(3)));
    expect(estimated([[], []], resamplingOf(3))).toBeNull();
    expect(estimated([[1]], resamplingOf(3))).toEqual({ mean: 1, low: null, high: null, n: 1, seeds: 1 });
  });
});
