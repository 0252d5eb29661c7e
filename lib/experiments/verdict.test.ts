import { describe, expect, it } from 'vitest';
import { onceIn, type Ranged, verdict, verdicts, verdictsOver } from './verdict';

const arm = (label: string, low: number | null, mean: number, high: number | null): Ranged => ({
  label,
  mean,
  low,
  high,
});
const PLAIN = arm('plain', 0.4, 0.5, 0.6);

describe('what ranges say of arms', () => {
  it('is a difference only where they do not meet', () => {
    const others = [
      arm('a', 0.61, 0.7, 0.8),
      arm('b', 0.6, 0.7, 0.8),
      arm('c', 0.1, 0.2, 0.4),
      arm('d', 0.1, 0.2, 0.39),
    ];
    expect(verdict('right', PLAIN, others, 'seeds', 2)).toBe(
      'right, against plain (0.50): higher in every seed than in any of its seeds: a 0.70; ' +
        'lower in every seed than in any of its seeds: d 0.20; no difference beyond the spread of seeds: b 0.70, c 0.20.',
    );
    expect(verdict('right', PLAIN, [others[0]], 'intervals')).toBe(
      'right, against plain (0.500): higher, intervals apart: a 0.700.',
    );
  });

  it('is nothing where a range is not known', () => {
    expect(verdict('right', arm('plain', null, 0.5, null), [arm('a', 0.6, 0.7, 0.8)], 'seeds')).toBeUndefined();
    expect(verdict('right', PLAIN, [arm('a', null, 0.9, null)], 'seeds')).toBeUndefined();
  });

  it('compares each arm with its own', () => {
    const arms = [PLAIN, arm('a', 0.7, 0.8, 0.9), undefined, arm('b', 0.1, 0.2, 0.3)];
    expect(verdicts('right', arms, [0, 0, 0, 1], 'intervals', 1)).toEqual([
      'right, against plain (0.5): higher, intervals apart: a 0.8.',
      'right, against a (0.8): lower, intervals apart: b 0.2.',
    ]);
    expect(verdicts('right', [undefined, arms[1]], [0, 0], 'intervals')).toEqual([]);
  });

  it('is one sentence an arm over many measures', () => {
    const measure = (name: string, low: number, high: number) => ({
      name,
      arms: [PLAIN, arm('a', low, (low + high) / 2, high)],
    });
    const five = [measure('v', 0.7, 0.8), measure('w', 0.1, 0.2), measure('x', 0.5, 0.7), measure('y', 0.9, 1)];
    expect(verdictsOver(five, [0, 0])).toHaveLength(4);
    expect(verdictsOver([...five, measure('z', 0, 0.5)], [0, 0])).toEqual([
      'a against plain, of 5 rows: higher, intervals apart, in 2 (v; y); lower, intervals apart, in 1 (w); in 2 intervals meet.',
    ]);
  });

  it('knows how rarely chance parts so many seeds', () => {
    // Of the 20 ways to order three seeds of each arm, two have them apart.
    expect([1, 2, 3, 4].map(onceIn)).toEqual([1, 3, 10, 35]);
  });
});
