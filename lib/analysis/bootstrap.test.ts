import { describe, expect, it } from 'vitest';
import { Random } from '@/kernels/reference/random';
import { bootstrapMeans, pairedDifferences, seededDifferences, seededMeans } from './bootstrap';

/** A seeded source of whole numbers. */
function source(seed: number) {
  const random = new Random(seed);
  return { integer: (from: number, to: number) => from + Math.floor(random.next() * (to - from + 1)) };
}

const normal = (seed: number, n: number, mean = 0) => new Random(seed).normal(n).map((value) => value + mean);

describe('the bootstrap of a mean', () => {
  it('has the spread of its closed form: the plug-in variance over n', () => {
    const values = normal(3, 200, 5);
    const [{ mean, stderr, low, high, n }] = bootstrapMeans([values], { random: source(1), resamples: 8000 });
    const plugIn = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / n;
    expect(n).toBe(200);
    expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 200, 12);
    expect(stderr / plugIn).toBeCloseTo(Math.sqrt(200 / 199), 10);
    expect(Math.abs((high - low) / (2 * 1.959964 * plugIn) - 1)).toBeLessThan(0.04);
    expect(Math.abs((high + low) / 2 - mean)).toBeLessThan(0.15 * plugIn);
  });

  it('gives the exact quantiles where resamples can be counted', () => {
    // Of two values the mean of a resample is 0, 1/2 or 1 with probabilities 1/4, 1/2, 1/4.
    const options = (level: number) => ({ random: source(2), resamples: 4000, level });
    expect(bootstrapMeans([Float64Array.of(0, 1)], options(0.95))[0]).toMatchObject({ low: 0, high: 1 });
    expect(bootstrapMeans([Float64Array.of(0, 1)], options(0.4))[0]).toMatchObject({ low: 0.5, high: 0.5 });
  });

  it('is repeatable, widens with the level, and leaves out what is not finite', () => {
    const values = normal(4, 30);
    const run = (seed: number, level: number) => bootstrapMeans([values], { random: source(seed), level })[0];
    expect(run(7, 0.95)).toEqual(run(7, 0.95));
    expect(run(7, 0.95).low).not.toBe(run(8, 0.95).low);
    expect(run(7, 0.99).low).toBeLessThan(run(7, 0.8).low);
    const [some, none, one] = bootstrapMeans(
      [
        Float64Array.of(1, Number.NaN, 3),
        new Float64Array(3).fill(Number.NaN),
        Float64Array.of(4, Number.NaN, Number.NaN),
      ],
      { random: source(1) },
    );
    expect(some).toMatchObject({ mean: 2, n: 2, low: 1, high: 3 });
    expect(none.n).toBe(0);
    expect([none.mean, none.low, none.high].every(Number.isNaN)).toBe(true);
    expect(one).toMatchObject({ mean: 4, low: 4, high: 4, n: 1 });
  });
});

describe('the paired test', () => {
  it('sees a small difference that two separate intervals hide', () => {
    const a = normal(5, 100);
    const b = a.map((value, i) => value + 0.1 + 0.05 * Math.sin(i));
    const [difference] = pairedDifferences([a], [b], { random: source(3) });
    expect(difference.mean).toBeCloseTo(0.1, 1);
    expect(difference.low).toBeGreaterThan(0);
    expect(difference.p).toBeLessThan(0.01);
    const [first, second] = bootstrapMeans([a, b], { random: source(3) });
    expect(second.low).toBeLessThan(first.high);
  });

  it('finds nothing where there is nothing, and changes sign with its order', () => {
    const [a, b] = [normal(6, 80), normal(7, 80)];
    const [forth] = pairedDifferences([a], [b], { random: source(4) });
    const [back] = pairedDifferences([b], [a], { random: source(4) });
    expect(forth.p).toBeGreaterThan(0.05);
    expect(forth.mean).toBeCloseTo(-back.mean, 12);
    expect(forth.low).toBeCloseTo(-back.high, 12);
    expect(forth.p).toBeCloseTo(back.p, 12);
    expect(pairedDifferences([a], [a], { random: source(4) })[0]).toMatchObject({ mean: 0, p: 1 });
  });
});

describe('training seeds', () => {
  const options = (seed: number, resamples = 4000) => ({ random: source(seed), seeds: source(seed + 1), resamples });

  it('are drawn anew, before the examples', () => {
    // One example, two seeds: the mean of a resample is 0, 1/2 or 1 with probabilities 1/4, 1/2, 1/4.
    const seeds = [[Float64Array.of(0)], [Float64Array.of(1)]];
    const [{ mean, low, high, stderr, n }] = seededMeans(seeds, options(2));
    expect({ mean, low, high, n }).toEqual({ mean: 0.5, low: 0, high: 1, n: 1 });
    expect(stderr).toBeCloseTo(Math.sqrt(1 / 8), 1);
  });

  it('that are all the same add nothing', () => {
    const values = normal(8, 60);
    const [one] = bootstrapMeans([values], { random: source(5), resamples: 4000 });
    const [same] = seededMeans([[values], [values], [values]], options(5));
    for (const end of ['mean', 'low', 'high'] as const) expect(same[end]).toBeCloseTo(one[end], 12);
  });

  it('widen what a model of a few runs can say, also against another', () => {
    const values = normal(9, 200);
    const runs = [-0.5, 0, 0.5].map((shift) => [values.map((value) => value + shift)]);
    const [prompts] = bootstrapMeans([values], { random: source(6) });
    const [both] = seededMeans(runs, options(6));
    expect(both.high - both.low).toBeGreaterThan(1.5 * (prompts.high - prompts.low));
    const [difference] = seededDifferences([[values]], runs, options(6));
    expect(difference.mean).toBeCloseTo(0, 12);
    expect(difference.high - difference.low).toBeGreaterThan(0.8);
    expect(difference.p).toBeGreaterThan(0.3);
  });

  it('leave an example out that is not finite in one of them', () => {
    const [{ mean, n }] = seededMeans([[Float64Array.of(1, 5)], [Float64Array.of(3, Number.NaN)]], options(7));
    expect({ mean, n }).toEqual({ mean: 2, n: 1 });
  });
});
