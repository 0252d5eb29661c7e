import { describe, expect, it } from 'vitest';
import { pairFacts, profilePath, rowPeak, topSources } from './pair';

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

  it('has no share in an empty row', () => {
    expect(pairFacts(new Float32Array(4), 2, 1, 0).share).toBeNaN();
  });
});

describe('profilePath', () => {
  it('draws positive bars up and negative bars down from the zero line', () => {
    const { path, zero } = profilePath(map, 3, 2, 10, 52, 6, true);
    const tops = [...path.matchAll(/V([\d.]+)h/g)].map((m) => Number(m[1]));
    expect(tops).toHaveLength(3);
    expect(tops[0]).toBeLessThan(zero);
    expect(tops[1]).toBeGreaterThan(zero);
  });
});
