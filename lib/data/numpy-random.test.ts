import { describe, expect, it } from 'vitest';
import { NumpyGenerator, NumpyGlobal } from './numpy-random';

/** What NumPy 2.4 gives for `integers(n)`, `random()`, `integers(10)` and `shuffle(range(20))`, one after the other. */
const BOUNDS = [1, 2, 3, 7, 16, 100, 1000, 65537, 3_000_000_000, 5];
const DEFAULT_RNG = [
  {
    seed: 0,
    below: [0, 1, 1, 3, 4, 30, 40, 4931, 49582906, 0],
    uniform: [0.9127555772777217, 0.6066357757671799, 0.7294965609839984],
    after: [8, 6, 5, 5, 9],
    shuffled: [2, 11, 14, 5, 19, 4, 1, 15, 17, 10, 18, 6, 7, 9, 3, 0, 8, 16, 13, 12],
  },
  {
    seed: 5,
    below: [0, 1, 2, 0, 12, 46, 515, 41303, 857404139, 4],
    uniform: [0.38336888078551823, 0.40847320541999865, 0.045275193902445166],
    after: [0, 0, 0, 1, 9],
    shuffled: [18, 12, 2, 6, 11, 19, 5, 7, 10, 4, 15, 0, 17, 9, 1, 3, 16, 8, 14, 13],
  },
  {
    seed: 1099511627783,
    below: [0, 0, 2, 4, 4, 1, 153, 33077, 2655564380, 3],
    uniform: [0.48999541650863676, 0.015398871776174494, 0.037272006656797085],
    after: [6, 1, 2, 9, 3],
    shuffled: [5, 9, 10, 15, 11, 0, 14, 18, 1, 8, 4, 17, 7, 13, 6, 12, 16, 2, 3, 19],
  },
  {
    seed: [5, 1, 70000],
    below: [0, 0, 1, 1, 9, 77, 601, 29005, 2482705758, 4],
    uniform: [0.8285754977505544, 0.15003365294503745, 0.41203236606951477],
    after: [3, 7, 8, 0, 2],
    shuffled: [9, 8, 6, 2, 4, 14, 18, 5, 0, 13, 1, 3, 11, 7, 15, 19, 10, 12, 16, 17],
  },
  {
    seed: [1, 2, 3, 4, 5, 6],
    below: [0, 0, 1, 5, 1, 88, 839, 2729, 246905166, 2],
    uniform: [0.23559781014696357, 0.988043342363153, 0.05392705209681914],
    after: [1, 2, 9, 8, 1],
    shuffled: [12, 18, 11, 17, 19, 2, 16, 15, 14, 5, 4, 13, 3, 0, 6, 1, 8, 7, 10, 9],
  },
];

describe('NumpyGenerator', () => {
  it.each(DEFAULT_RNG)('draws what default_rng($seed) draws', ({ seed, below, uniform, after, shuffled }) => {
    const random = new NumpyGenerator(seed);
    expect(BOUNDS.map((count) => random.below(count))).toEqual(below);
    expect(uniform.map(() => random.uniform())).toEqual(uniform);
    expect(after.map(() => random.below(10))).toEqual(after);
    expect(random.shuffled(Array.from({ length: 20 }, (_, i) => i))).toEqual(shuffled);
  });
});

describe('NumpyGlobal', () => {
  it.each([
    [5, [0, 1, 2, 5, 6, 16, 73, 33800, 385778404, 3], [0, 14, 0, 7, 12, 15, 1, 5, 7, 0], 620],
    [0, [0, 0, 1, 0, 3, 67, 359, 41993, 2678185683, 2], [4, 7, 6, 8, 8, 12, 10, 1, 6, 7], 95],
    [4294967295, [0, 1, 2, 4, 7, 52, 576, 20694, 77050329, 0], [15, 11, 2, 11, 11, 10, 11, 13, 6, 7], 641],
  ])('draws what numpy.random draws after seed(%i)', (seed, below, sixteens, late) => {
    const random = new NumpyGlobal(seed);
    expect(BOUNDS.map((count) => random.below(count))).toEqual(below);
    expect(sixteens.map(() => random.below(16))).toEqual(sixteens);
    for (let i = 0; i < 700; i++) random.below(10);
    expect(random.below(1000)).toBe(late);
  });
});
