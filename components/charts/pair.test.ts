import { describe, expect, it } from 'vitest';
import { pairFacts, rowPeak, topSources } from './pair';

const map = Float32Array.of(1, 0, 0, 2, -4, 0, 3, -6, 1);

describe('pairFacts', () => {
  it('gives value, share of the row and rank by magnitude', () => {
    const facts = pairFacts(map, 3, 2, 0);
    expect(facts.value).toBe(3);
    expect(facts.share).toBeCloseTo(0.3);
    expect(facts.rank).toBe(2);
    expect(pairFacts(map, 3, 2, 1).rank).toBe(1);
  });

  it('looks at causal entries only', () => {
    expect(pairFacts(map, 3, 1, 1).share).toBeCloseTo(4 / 6);
    expect(topSources(map, 3, 1, 6)).toEqual([1, 0]);
    expect(rowPeak(map, 3, 1)).toBe(4);
  });

  it('names the strongest sources first, the earlier of equals before the later', () => {
    const row = Float32Array.of(0.5, -2, 0, 2, 3, -0.5);
    const L = row.length;
    const whole = new Float32Array(L * L);
    whole.set(row, (L - 1) * L);
    expect(topSources(whole, L, L - 1, 4)).toEqual([4, 1, 3, 0]);
    expect(topSources(whole, L, L - 1, 9)).toEqual([4, 1, 3, 0, 5, 2]);
  });

  it('has no share in an empty row', () => {
    expect(pairFacts(new Float32Array(4), 2, 1, 0).share).toBeNaN();
  });
});
