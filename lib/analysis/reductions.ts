import { InputError } from '@/lib/checkpoint/types';

/** How the channels or heads of one scan become one map. */
export type Reduction =
  | { readonly how: 'mean' }
  | { readonly how: 'mean_abs' }
  | { readonly how: 'max' }
  | { readonly how: 'channel'; readonly index: number }
  | { readonly how: 'head'; readonly index: number };

export interface AttentionMap {
  /** [L,L], target i (rows) by source j (columns), zero for j > i. */
  readonly map: Float32Array;
  readonly L: number;
  /**
   * Relative error of the map used as what it stands for, against the scan itself; see {@link reconstructionErrorOf}.
   * Differences carry the larger one of their branches.
   */
  readonly reconstructionError: number;
  /** What the numbers are, for people. */
  readonly convention: string;
  /** Whether the values are sizes, which have no sign. */
  readonly magnitude?: boolean;
}

/** Reads `mean`, `mean_abs`, `max`, `channel:5` or `head:0`. @throws InputError for anything else. */
export function parseReduction(text: string): Reduction {
  if (text === 'mean' || text === 'mean_abs' || text === 'max') return { how: text };
  const [, how, index] = /^(channel|head):(\d{1,9})$/.exec(text) ?? [];
  if (how === 'channel' || how === 'head') return { how, index: Number(index) };
  throw new InputError(`There is no reduction "${text}": choose mean, mean_abs, max, channel:NUMBER or head:NUMBER.`);
}

/** Whether a reduction leaves sizes: their difference over two branches is signed, and no size of a difference. */
export const isMagnitude = ({ how }: Reduction): boolean => how === 'mean_abs' || how === 'max';

export function requireIndex(what: string, index: number, count: number): void {
  if (index < count) return;
  throw new InputError(`There is no ${what} ${index}: this block's ${what}s go from 0 to ${count - 1}.`);
}
