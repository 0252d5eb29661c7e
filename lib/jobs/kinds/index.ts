import { allocationKind } from './allocation';
import { ablateKind, knockoutKind, patchKind } from './causal';
import { evaluationKind } from './evaluation';
import { snrKind } from './snr';
import { trainKind } from './train';

/** What can be swept, by name. */
export const KINDS = {
  snr: snrKind,
  allocation: allocationKind,
  patch: patchKind,
  knockout: knockoutKind,
  ablate: ablateKind,
  train: trainKind,
  eval: evaluationKind,
};

export type KindName = keyof typeof KINDS;
export type RequestOf<K extends KindName> = Parameters<(typeof KINDS)[K]['items']>[0];
export type ResultOf<K extends KindName> = Awaited<ReturnType<(typeof KINDS)[K]['run']>>;
