import type { Form } from '@/lib/api/schemas';

/** In the order of the key F. */
export const FORMS = ['s6', 'block', 'logit', 'norm'] as const satisfies readonly Form[];

/** How a form of the maps is called, what its values are, and their unit. */
export const FORM_INFO: Record<Form, { readonly label: string; readonly quantity: string; readonly unit: string }> = {
  s6: { label: 'S6 α', quantity: 'implicit attention α', unit: 'no unit' },
  block: { label: 'block', quantity: 'block map', unit: 'no unit' },
  logit: { label: 'logit contribution', quantity: 'contribution to the target’s logit', unit: 'logits' },
  norm: { label: 'norm', quantity: 'norm of the contribution', unit: 'residual stream' },
};
