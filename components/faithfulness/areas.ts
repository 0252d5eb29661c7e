import { scaleLinear } from 'd3';
import type { FaithfulnessResult } from '@/lib/api/faithfulness';
import { formatTick } from '@/lib/figures/numbers';
import type { SourceOrder } from '@/lib/vocabulary';
import type { DataTable } from '../charts/table';
import type { ModelSlot } from '../state/selection';

/** Areas of deletion and insertion curves: geometry and tables, pure. */

export type Norms = 'rescale' | 'frozen';
type OrderResult = FaithfulnessResult['models'][number]['orders'][number];
type Area = 'deletion_area' | 'insertion_area';
export const AREAS = ['deletion_area', 'insertion_area'] as const satisfies readonly Area[];

export const ORDER_NAMES: Readonly<Record<SourceOrder, string>> = {
  s6: 'S6 α',
  block: 'block',
  logit: 'logit contribution',
  norm: 'norm',
  rollout_norm: 'rollout of norms',
  rollout_alti: 'rollout of ALTI',
  rollout_plain: 'rollout of α',
  attribution: 'gradient · α',
  gradient_input: 'gradient · input',
  random: 'random',
};

/** What is known of one model. */
export interface Measured {
  readonly slot: ModelSlot;
  readonly orders: readonly OrderResult[] | undefined;
}

export const areasOf = (one: OrderResult, norms: Norms) => (norms === 'frozen' ? one.frozen_norms : one);

export interface Dot {
  readonly slot: ModelSlot;
  readonly order: SourceOrder;
  readonly x: number;
  readonly y: number;
  /** Ends of the interval, where there is one. */
  readonly from?: number;
  readonly to?: number;
}

export const ROW = 24;

/** One panel of dots, a row each order: areas from left to right, the models one above the other. */
export function areaDots(
  found: readonly Measured[],
  area: Area,
  norms: Norms,
  [left, right]: readonly [left: number, right: number],
) {
  const shown = found.filter((one) => one.orders !== undefined);
  const orders = shown[0]?.orders?.map(({ order }) => order) ?? [];
  const values = shown.flatMap(({ slot, orders: own = [] }, model) =>
    own.flatMap((one) => {
      const value = areasOf(one, norms)[area];
      return value ? [{ slot, model, order: one.order, ...value }] : [];
    }),
  );
  const all = values.flatMap(({ mean, low = mean, high = mean }) => [mean, low, high]);
  const scale = scaleLinear([Math.min(0, ...all), Math.max(1, ...all)], [left, right]).nice(4);
  const count = right - left < 200 ? 2 : 4;
  const dots = values.map(({ slot, model, order, mean, low, high }): Dot => {
    const y = orders.indexOf(order) * ROW + ROW / 2 + (model - (shown.length - 1) / 2) * 9;
    return {
      slot,
      order,
      x: scale(mean),
      y,
      from: low === undefined ? undefined : scale(low),
      to: high === undefined ? undefined : scale(high),
    };
  });
  const ticks = scale.ticks(count).map((value) => ({ x: scale(value), text: formatTick(value) }));
  return { orders, dots, ticks, height: orders.length * ROW };
}

/** Both ways of the norms, with intervals. */
export function areaTable(found: readonly Measured[], words: string): DataTable {
  const ends = ['mean', 'low', 'high'] as const;
  const ways = [
    ['', 'rescale'],
    [', norms frozen', 'frozen'],
  ] as const;
  const measures = ['deletion_area', 'insertion_area', 'above_random'] as const;
  const columns = ways.flatMap(([way]) =>
    measures.flatMap((name) => ends.map((end) => `${name.replace('_', ' ')}${way}${end === 'mean' ? '' : `, ${end}`}`)),
  );
  const rows = found.flatMap(({ slot, orders = [] }) =>
    orders.map((one) => [
      `${slot} ${ORDER_NAMES[one.order]}`,
      ...ways.flatMap(([, norms]) =>
        measures.flatMap((name) => ends.map((end) => areasOf(one, norms)[name]?.[end] ?? null)),
      ),
    ]),
  );
  return { caption: `Areas under deletion and insertion curves, ${words}`, columns: ['order', ...columns], rows };
}
