import { parseAsArrayOf, parseAsString, parseAsStringLiteral } from 'nuqs';
import { create } from 'zustand';
import { fieldsOf, type LinkedSettings, linkStore, setting } from '../state/linked';
import type { Form, Quantity } from './shares';

export interface CancellationSettings {
  readonly form: Form;
  readonly quantity: Quantity;
  /** Analyses whose means are shown, one for each differential model; none for this prompt alone. */
  readonly batches: readonly string[];
}

export const useCancellation = create<CancellationSettings>()(() => ({ form: 'norm', quantity: 'share', batches: [] }));

export const setCancellation = (patch: Partial<CancellationSettings>): void => useCancellation.setState(patch);

const field = fieldsOf(useCancellation.getInitialState());

/** What a link says of the section. */
export const CANCELLATION: LinkedSettings<CancellationSettings> = {
  shares: field('form', parseAsStringLiteral(['norm', 'logit'])),
  amounts: field('quantity', parseAsStringLiteral(['share', 'mass'])),
  stories: setting(
    parseAsArrayOf(parseAsString),
    ({ batches }) => (batches.length > 0 ? [...batches] : null),
    (ids) => ({ batches: ids.filter((id) => /^[\w-]{1,40}$/.test(id)).slice(0, 2) }),
  ),
};

linkStore('cancellation', useCancellation, CANCELLATION);
