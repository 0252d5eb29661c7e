import type { Channels } from '@/lib/api/readings';
import type { CHANNEL_STATISTICS, DifferenceTerm } from '@/lib/vocabulary';
import { type ModelSlot, select, useSelection } from '../state/selection';

export type ChannelStatistic = (typeof CHANNEL_STATISTICS)[number];

export const CHANNEL_NAMES: Record<ChannelStatistic, string> = {
  output_share: 'share of the output',
  locality: 'locality',
  entropy: 'entropy',
  max: 'largest value',
  half_life: 'half-life',
  distance: 'mean distance',
  sink: 'share on the first token',
};

/** The scan whose units a branch shows: mixer 2 for λ·mixer 2, else the first. */
export function branchOfUnits({ metadata }: Channels, branch: DifferenceTerm): string {
  const { branches } = metadata;
  return (branch === 'lambda_mixer_2' && branches.find((name) => name === 'mixer_2')) || branches[0];
}

export interface RankedUnit {
  readonly index: number;
  readonly value: number;
}

/** Heads or channels by one statistic, largest first; what is not a number stands last. */
export function rankedUnits(
  { values }: Pick<Channels, 'values'>,
  branch: string,
  statistic: ChannelStatistic,
): RankedUnit[] {
  const of = values.get(`${branch}.${statistic}`);
  if (!of) return [];
  const order = (value: number) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);
  return Array.from(of, (value, index) => ({ index, value })).sort(
    (a, b) => order(b.value) - order(a.value) || a.index - b.index,
  );
}

/** Isolates one head or channel, or returns to the mean when it is isolated already. */
export function isolate(slot: ModelSlot, unit: number): void {
  const { reduction, part } = useSelection.getState();
  const again = reduction === 'one' && part[slot] === unit;
  select(again ? { reduction: 'mean' } : { reduction: 'one', part: { ...part, [slot]: unit } });
}
