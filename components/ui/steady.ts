'use client';
import { useRef } from 'react';

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** Identical, or plain objects with the same members, all the way down. */
function alike(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isPlain(a) || !isPlain(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => alike(a[key], b[key]));
}

/** Whether two lists hold the same things in the same order. */
export const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((entry, k) => alike(entry, b[k]));

/** `next` with every entry that is the same as before as it was before; the list itself where all are. */
export function steadied<T>(before: readonly T[], next: readonly T[]): readonly T[] {
  if (sameList(before, next)) return before;
  return next.map((entry, k) => (k < before.length && alike(before[k], entry) ? before[k] : entry));
}

/**
 * The list as it was in the last render while its entries are the same, so that figures that were given it, or one of
 * them, are not drawn again. Plain objects are compared member by member, everything else by identity.
 */
export function useSteady<T>(list: readonly T[]): readonly T[] {
  const kept = useRef(list);
  kept.current = steadied(kept.current, list);
  return kept.current;
}
