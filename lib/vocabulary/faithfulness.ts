/** What can say which sources matter: maps, products of maps, attributions, and chance to be held against. */
export const SOURCE_ORDERS = [
  's6',
  'block',
  'logit',
  'norm',
  'rollout_norm',
  'rollout_alti',
  'rollout_plain',
  'attribution',
  'gradient_input',
  'random',
] as const;
export type SourceOrder = (typeof SOURCE_ORDERS)[number];

/** What is watched while sources are removed: the logit (or its difference to the foil's), or ln p of the target. */
export const WATCHED = ['logit', 'logprob'] as const;
export type Watched = (typeof WATCHED)[number];
