import { describe, expect, it } from 'vitest';
import type { Axis } from './config';
import type { ArmTraining } from './curves';
import { gridResults } from './grid';
import type { Arm } from './plan';

const AXES: Readonly<Record<string, Axis>> = {
  settings: { take: 'mean', points: { short: {}, long: {} } },
  rate: { take: 'best', points: { low: {}, high: {} } },
};

/** What an arm came to at each point of its grid. */
function grid(label: string, shares: Readonly<Record<string, number | undefined>>) {
  const arms: Arm[] = [];
  const training: ArmTraining[] = [];
  for (const [name, share] of Object.entries(shares)) {
    const [settings, rate] = name.split('-');
    arms.push({ name, label: name, runs: [], place: { arm: label.toLowerCase(), label, at: { settings, rate } } });
    const accuracy =
      share === undefined
        ? []
        : [
            { step: 1, mean: share - 0.1 },
            { step: 2, mean: share },
          ];
    training.push({ arm: name, accuracy } as unknown as ArmTraining);
  }
  return [arms, training] as const;
}

describe('the results of a grid', () => {
  it('are means over settings of the best at each, by what is right at the end', () => {
    const shares = { 'short-low': 0.5, 'short-high': 0.75, 'long-low': 0.25, 'long-high': 0.125 };
    expect(gridResults(...grid('Plain', shares), AXES)).toEqual([
      {
        arm: 'plain',
        label: 'Plain',
        accuracy: 0.5,
        best: [],
        points: [
          { point: 'short', accuracy: 0.75, best: ['high'] },
          { point: 'long', accuracy: 0.25, best: ['low'] },
        ],
      },
    ]);
  });

  it('are none of arms that stand alone, and refused where nothing was asked', () => {
    expect(gridResults([{ name: 'alone', label: 'alone', runs: [] }], [], AXES)).toEqual([]);
    const nothing = grid('Plain', { 'short-low': undefined });
    expect(() => gridResults(...nothing, AXES)).toThrow(/short-low were asked nothing of validation rows/);
  });
});
