import { parseAsString, parseAsStringLiteral } from 'nuqs';
import { create } from 'zustand';
import { MEASURES, type Measure, PARTS, type Part } from '../charts/allocation';
import { fieldsOf, type LinkedSettings, linkStore, setting } from '../state/linked';

export interface AllocationSettings {
  readonly measure: Measure;
  readonly part: Part;
  /** The batch whose means are shown; empty for this prompt alone. */
  readonly batch: string;
}

export const useAllocation = create<AllocationSettings>()(() => ({ measure: 'norm_share', part: 'net', batch: '' }));

export const setAllocation = (patch: Partial<AllocationSettings>): void => useAllocation.setState(patch);

const field = fieldsOf(useAllocation.getInitialState());

/** What a link says of the section. */
export const ALLOCATION: LinkedSettings<AllocationSettings> = {
  shares: field('measure', parseAsStringLiteral(MEASURES)),
  part: field('part', parseAsStringLiteral(PARTS)),
  stories: setting(
    parseAsString,
    ({ batch }) => batch || null,
    (batch) => (/^[\w-]{1,40}$/.test(batch) ? { batch } : undefined),
  ),
};

linkStore('allocation', useAllocation, ALLOCATION);
