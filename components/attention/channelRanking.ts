import type { Channels } from '@/lib/api/bodies';
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

/** Units by value in equal bins over the range that the statistic has. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** How a statistic spreads over all units; what is not a number stands in no bin. Undefined where nothing is finite. */
export function histogramOf(units: readonly RankedUnit[], bins: number): Histogram | undefined {
  const values = units.flatMap(({ value }) => (Number.isFinite(value) ? [value] : []));
  if (values.length === 0) return undefined;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[binOf(value, low, high, bins)] += 1;
  return { low, high, counts };
}

export const binOf = (value: number, low: number, high: number, bins: number): number =>
  high > low ? Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins)) : 0;

/** Isolates one head or channel, or returns to the mean when it is isolated already. */
export function isolate(slot: ModelSlot, unit: number): void {
  const { reduction, part } = useSelection.getState();
  const again = reduction === 'one' && part[slot] === unit;
  select(again ? { reduction: 'mean' } : { reduction: 'one', part: { ...part, [slot]: unit } });
}

/** Isolates in every model the unit that brings most to the output, unless one was chosen before. */
export function isolateStrongest(
  models: readonly { readonly slot: ModelSlot }[],
  channels: readonly (Channels | undefined)[],
): void {
  const { part, branch } = useSelection.getState();
  const strongest = models.flatMap(({ slot }, k) => {
    const own = channels[k];
    const [first] = own ? rankedUnits(own, branchOfUnits(own, branch), 'output_share') : [];
    return first && part[slot] === 0 ? [[slot, first.index]] : [];
  });
  select({ reduction: 'one', part: { ...part, ...Object.fromEntries(strongest) } });
}
