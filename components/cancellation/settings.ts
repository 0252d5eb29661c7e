import { parseAsArrayOf, parseAsString, parseAsStringLiteral } from 'nuqs';
import { create } from 'zustand';
import type { Form, Quantity } from './shares';

export interface CancellationSettings {
  readonly form: Form;
  readonly quantity: Quantity;
  /** Analyses whose means are shown, one for each differential model; none for this prompt alone. */
  readonly batches: readonly string[];
}

export const useCancellation = create<CancellationSettings>()(() => ({ form: 'norm', quantity: 'share', batches: [] }));

export const setCancellation = (patch: Partial<CancellationSettings>): void => useCancellation.setState(patch);

export const CANCELLATION_PARSERS = {
  shares: parseAsStringLiteral(['norm', 'logit']),
  amounts: parseAsStringLiteral(['share', 'mass']),
  stories: parseAsArrayOf(parseAsString),
};

type Query = { [K in keyof typeof CANCELLATION_PARSERS]: ReturnType<(typeof CANCELLATION_PARSERS)[K]['parse']> };

/** The settings of the section as query parameters; what has its first value is left out. */
export const cancellationToQuery = ({ form, quantity, batches }: CancellationSettings): Query => ({
  shares: form === 'norm' ? null : form,
  amounts: quantity === 'share' ? null : quantity,
  stories: batches.length > 0 ? [...batches] : null,
});

/** What a link says about the section; parameters that are absent say nothing. */
export const cancellationFromQuery = (q: Partial<Query>): Partial<CancellationSettings> => ({
  ...(q.shares && { form: q.shares }),
  ...(q.amounts && { quantity: q.amounts }),
  ...(q.stories && { batches: q.stories.filter((id) => /^[\w-]{1,40}$/.test(id)).slice(0, 2) }),
});
