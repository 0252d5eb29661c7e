import { describe, expect, it } from 'vitest';
import { branchOfUnits, rankedUnits } from './channelRanking';

const values = new Map([
  ['mixer_1.max', Float32Array.of(0.5, Number.NaN, 2, 0.5)],
  ['mixer_2.max', Float32Array.of(9, 1, 1, 1)],
]);

describe('rankedUnits', () => {
  it('puts the largest first, equals in order and what is no number last', () => {
    expect(rankedUnits({ values }, 'mixer_1', 'max').map(({ index }) => index)).toEqual([2, 0, 3, 1]);
    expect(rankedUnits({ values }, 'mixer_1', 'sink')).toEqual([]);
  });
});

describe('branchOfUnits', () => {
  it('shows the units of mixer 2 only where its map is shown', () => {
    const channels = { values, metadata: { unit: 'head' as const, branches: ['mixer_1', 'mixer_2'], ms: 1 } };
    expect(branchOfUnits(channels, 'lambda_mixer_2')).toBe('mixer_2');
    expect(branchOfUnits(channels, 'diff')).toBe('mixer_1');
  });
});
