import { allocationKind } from './allocation';
import { snrKind } from './snr';

/** What can be swept, by name. */
export const KINDS = { snr: snrKind, allocation: allocationKind };

export type KindName = keyof typeof KINDS;
export type RequestOf<K extends KindName> = Parameters<(typeof KINDS)[K]['items']>[0];
export type ResultOf<K extends KindName> = Awaited<ReturnType<(typeof KINDS)[K]['run']>>;
