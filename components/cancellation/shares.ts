import type { AnalysisResult, CancellationEstimate } from '@/lib/api/causal';
import { layerName } from '../charts/layerAxis';
import type { Maybe } from '../charts/numbers';
import type { DataTable } from '../charts/table';
import type { ModelSlot } from '../state/selection';

export type Single = Extract<AnalysisResult, { kind: 'cancellation' }>;
export type Batch = Extract<AnalysisResult, { kind: 'cancellation_batch' }>;
export type Form = 'norm' | 'logit';
export type BranchName = 'first' | 'second' | 'difference';

export const BRANCHES: readonly { readonly value: BranchName; readonly label: string; readonly short: string }[] = [
  { value: 'first', label: 'mixer 1', short: '1' },
  { value: 'second', label: 'λ·mixer 2', short: 'λ·2' },
  { value: 'difference', label: 'difference', short: '1 − λ·2' },
];

/** What a bar says: the needle's part of the branch's magnitude, or both magnitudes as they are. */
export type Quantity = 'share' | 'mass';

export interface Bar {
  readonly layer: number;
  readonly branch: BranchName;
  /** Heights from 0: the needle's, and that of the needle with the noise. */
  readonly needle: number;
  readonly whole: number;
}

const size = (value: Maybe): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

/** Three bars for every differential layer that is finished. */
export const barsOf = (found: Single | undefined, form: Form, quantity: Quantity): Bar[] =>
  (found?.layers ?? []).flatMap((each) =>
    BRANCHES.map(({ value: branch }): Bar => {
      const { needle, noise, share } = each[form];
      if (quantity === 'share') return { layer: each.layer, branch, needle: size(share[branch]), whole: 1 };
      return {
        layer: each.layer,
        branch,
        needle: size(needle[branch]),
        whole: size(needle[branch]) + size(noise[branch]),
      };
    }),
  );

/** One branch's share by layer on an axis of `layers` blocks: means with intervals, undefined elsewhere. */
export function curveOf(
  batch: Batch | undefined,
  form: Form,
  branch: BranchName,
  layers: number,
): (CancellationEstimate | undefined)[] {
  const values: (CancellationEstimate | undefined)[] = new Array(layers + 2).fill(undefined);
  for (const each of batch?.layers ?? []) values[each.layer + 1] = each[form].share[branch];
  return values;
}

/** Whether the claim of differential models holds in a layer: the needle gains share, and noise loses more than it. */
export function verdict(gain: Maybe, removed: { readonly needle: Maybe; readonly noise: Maybe }): string {
  if (typeof gain !== 'number' || typeof removed.needle !== 'number' || typeof removed.noise !== 'number') return '–';
  if (gain > 0 && removed.noise > removed.needle) return removed.noise > 0 ? 'cancels noise' : 'adds less to noise';
  return gain > 0 ? 'favours the needle' : 'favours noise';
}

interface Found {
  readonly slot: ModelSlot;
  readonly single: Single | undefined;
  readonly batch: Batch | undefined;
}

/** Every layer's shares and magnitudes, or a batch's shares with their intervals. */
export function cancellationTable(found: readonly Found[], form: Form, layers: number): DataTable {
  const quantities = ['needle', 'noise', 'share'] as const;
  const rows = found.flatMap(({ slot, single, batch }): DataTable['rows'][number][] =>
    batch
      ? batch.layers.map((each) => [
          `${slot} ${layerName(each.layer, layers)}`,
          ...BRANCHES.flatMap(({ value }) => {
            const { mean, low, high } = each[form].share[value];
            return [mean, low, high];
          }),
          each[form].gain.mean,
        ])
      : (single?.layers ?? []).map((each) => [
          `${slot} ${layerName(each.layer, layers)}`,
          ...BRANCHES.flatMap(({ value }) => quantities.map((quantity) => each[form][quantity][value])),
        ]),
  );
  const ofBatch = found.some(({ batch }) => batch);
  const columns = ofBatch
    ? [...BRANCHES.flatMap(({ label }) => [`share, ${label}`, `low, ${label}`, `high, ${label}`]), 'gain']
    : BRANCHES.flatMap(({ label }) => quantities.map((quantity) => `${quantity}, ${label}`));
  const whole = ofBatch ? rows.filter((row) => row.length === columns.length + 1) : rows;
  return { caption: `Needle and noise by layer, ${form} form`, columns: ['layer', ...columns], rows: whole };
}
