import type { RolloutMethod } from '@/lib/api/readings';
import type { BlockComponent, Form } from '@/lib/vocabulary';

/** In the order of the key F. `s6` stands for the map of a mixer alone, which of attention has the form `softmax`. */
export const FORMS = ['s6', 'block', 'logit', 'norm'] as const satisfies readonly Form[];
export type ShownForm = (typeof FORMS)[number];

/** How a form of the maps is called, what its values are, and their unit. */
export const FORM_INFO: Record<Form, { readonly label: string; readonly quantity: string; readonly unit: string }> = {
  s6: { label: 'S6 α', quantity: 'implicit attention α', unit: 'no unit' },
  softmax: { label: 'softmax', quantity: 'softmax weights', unit: 'no unit' },
  block: { label: 'block', quantity: 'block map', unit: 'no unit' },
  logit: { label: 'logit contribution', quantity: 'contribution to the target’s logit', unit: 'logits' },
  norm: { label: 'norm', quantity: 'norm of the contribution', unit: 'length in the residual stream' },
};

/** What is drawn: the selected layer's map, or a product over it and all later layers. */
export const SPANS = [
  'layer',
  'norm',
  'alti',
  'plain',
  'normalised',
  'attribution',
  'attribution_code',
] as const satisfies readonly ('layer' | RolloutMethod)[];
export type LayerSpan = (typeof SPANS)[number];

interface Quantity {
  readonly quantity: string;
  readonly unit: string;
}

/** How a span is called where it is chosen, and what its values are. */
export const SPAN_INFO: Record<LayerSpan, Quantity & { readonly label: string; readonly title: string }> = {
  layer: { label: 'this one', title: 'Implicit attention', quantity: FORM_INFO.s6.quantity, unit: 'no unit' },
  norm: {
    label: 'shares from here on, by norm',
    title: 'Rollout of shares by norm',
    quantity: 'share of the residual stream, by norm',
    unit: 'no unit',
  },
  alti: {
    label: 'shares from here on, by nearness (ALTI)',
    title: 'Rollout of shares by nearness',
    quantity: 'share of the residual stream, by nearness',
    unit: 'no unit',
  },
  plain: {
    label: 'α from here on (Ali et al.)',
    title: 'Rollout of α',
    quantity: 'product of I + α',
    unit: 'no unit',
  },
  normalised: {
    label: 'the same, rows normalised',
    title: 'Normalised rollout',
    quantity: 'product of I + α, rows divided by their sums',
    unit: 'no unit',
  },
  attribution: {
    label: 'α by gradient of the target (Ali et al.)',
    title: 'Gradient-weighted attribution',
    quantity: 'product of I + (∇v ⊙ α)⁺',
    unit: 'no unit',
  },
  attribution_code: {
    label: 'the same, as in their code',
    title: 'Gradient-weighted attribution, as in the published code',
    quantity: 'product of I + scaled α⁺ ⊙ ∇⁺, rows divided by their sums',
    unit: 'no unit',
  },
};

/** Products that hold every position's own way past all layers: the pictures leave that identity out. */
export const holdsIdentity = (span: LayerSpan): boolean => span === 'plain' || span === 'attribution';

/** What an entry of the maps says, for people who do not know the formula. */
export const entryMeaning = (form: Form, span: LayerSpan): string =>
  span === 'layer'
    ? ENTRY_MEANINGS[form]
    : 'Row i, column j: how much of what position j held before the first of these layers reaches position i after the last.';

const ENTRY_MEANINGS: Readonly<Record<Form, string>> = {
  s6: 'Row i, column j: how strongly the scan at position i takes in what position j put into it.',
  softmax: 'Row i, column j: the weight that the query at position i gives to the key at j; a row adds up to 1.',
  block: 'Row i, column j: how much of what stood at position j the whole block passes on to position i.',
  logit:
    'Row i, column j: what the layer adds to the target’s logit at position i by what it read at j; a row and its bias terms are all that it adds.',
  norm: 'Row i, column j: length of the vector that the layer adds at position i for what it read at j.',
};

/** What the drawn values are. */
export const quantityOf = (form: Form, span: LayerSpan): Quantity =>
  span === 'layer' ? FORM_INFO[form] : SPAN_INFO[span];

/** What leaving out a part of the form `block` is called on the page. */
export const COMPONENT_LABELS: Record<BlockComponent, string> = {
  conv: 'no convolution',
  activation: 'no σ(c)',
  gate: 'no gate',
  norm: 'no norm',
  D: 'no D',
};
