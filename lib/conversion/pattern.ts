import { InputError } from '@/lib/checkpoint';

/** Which blocks become differential: a named pattern of the paper, or block indices from 0. */
export type Pattern = 'all' | 'quarter' | 'alternate' | readonly number[];

/**
 * The chosen blocks of n, ascending: all of them, the last floor(n/4) (`quarter`), those of even index (`alternate`), or
 * the listed ones (equations A5).
 * @throws InputError where none is chosen, or a listed index is not a block
 */
export function chosenBlocks(pattern: Pattern, n: number): number[] {
  const every = Array.from({ length: n }, (_, i) => i);
  if (pattern === 'all') return every;
  if (pattern === 'alternate') return every.filter((i) => i % 2 === 0);
  if (pattern === 'quarter') {
    const last = every.slice(n - Math.floor(n / 4));
    if (last.length === 0)
      throw new InputError(`A quarter of ${n} blocks is none: choose the pattern all or alternate.`);
    return last;
  }
  const wrong = pattern.find((i) => !Number.isInteger(i) || i < 0 || i >= n);
  if (wrong !== undefined) throw new InputError(`There is no block ${wrong}: blocks go from 0 to ${n - 1}.`);
  if (pattern.length === 0) throw new InputError('The list of blocks to convert is empty: name at least one.');
  return every.filter((i) => pattern.includes(i));
}
