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

/**
 * The list as it was in the last render while its entries are the same, so that figures that were given it are not
 * drawn again. Plain objects are compared member by member, everything else by identity.
 */
export function useSteady<T extends readonly unknown[]>(list: T): T {
  const kept = useRef(list);
  if (!sameList(kept.current, list)) kept.current = list;
  return kept.current;
}
