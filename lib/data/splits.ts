import type { Split } from './source';

/** Which part of the contents is held out. */
export interface HeldOut {
  readonly validation: number;
  readonly test: number;
}

/** Of what is generated without end: nothing is lost by holding out much. */
export const OF_GENERATED: HeldOut = { validation: 0.25, test: 0.25 };

/** 32 bits of a sequence of bytes, characters or tokens (FNV-1a, mixed at the end so that every bit counts). */
export function contentHash(values: Iterable<number>): number {
  let hash = 0x811c9dc5;
  for (const value of values) hash = Math.imul(hash ^ value, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The split of a content by its hash: equal contents are in one split, wherever they stand and whatever else there is. */
export function splitByHash(hash: number, { validation, test }: HeldOut): Split {
  const place = hash / 2 ** 32;
  if (place < validation) return 'validation';
  return place < validation + test ? 'test' : 'train';
}
