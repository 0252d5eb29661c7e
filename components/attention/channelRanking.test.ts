import { describe, expect, it } from 'vitest';
import { INITIAL_SELECTION, useSelection } from '../state/selection';
import { branchOfUnits, histogramOf, isolateStrongest, rankedUnits } from './channelRanking';

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

describe('histogramOf', () => {
  const units = (all: number[]) => all.map((value, index) => ({ index, value }));

  it('counts every finite unit once, the largest in the last bin', () => {
    expect(histogramOf(units([0, 1, 2, 3, 4, Number.NaN, Number.POSITIVE_INFINITY]), 4)).toEqual({
      low: 0,
      high: 4,
      counts: [1, 1, 1, 2],
    });
    expect(histogramOf(units([7, 7]), 4)?.counts).toEqual([2, 0, 0, 0]);
    expect(histogramOf(units([Number.NaN]), 4)).toBeUndefined();
  });
});

describe('isolateStrongest', () => {
  const shares = { values: new Map([['single.output_share', Float32Array.of(0.1, 0.7, 0.2)]]) };
  const channels = { ...shares, metadata: { unit: 'channel' as const, branches: ['single'], ms: 1 } };

  it('opens the unit that brings most, and keeps one that was chosen', () => {
    useSelection.setState({ ...INITIAL_SELECTION, part: { A: 0, B: 2 } });
    isolateStrongest([{ slot: 'A' }, { slot: 'B' }], [channels, channels]);
    expect(useSelection.getState()).toMatchObject({ reduction: 'one', part: { A: 1, B: 2 } });
  });

  it('opens the first where nothing is known yet', () => {
    useSelection.setState(INITIAL_SELECTION);
    isolateStrongest([{ slot: 'A' }], [undefined]);
    expect(useSelection.getState()).toMatchObject({ reduction: 'one', part: { A: 0, B: 0 } });
  });
});
