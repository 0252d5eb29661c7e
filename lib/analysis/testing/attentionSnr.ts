import { attentionOf, type BlockCache } from '../s6Attention';
import type { Span } from '../span';

/**
 * A measure of earlier versions, which tests hold against the exact one: the needle's share of |α| in the row of the token
 * that is read, of the mean of |α| of a plain block, and of A₁ − λA₂ on means over channels of a differential one.
 */
export function attentionSnr(block: BlockCache, position: number, [start, end]: Span): number {
  const single = block.scans.has('single');
  const { map, L } = attentionOf(block, {
    branch: single ? 'single' : 'diff',
    reduce: single ? 'mean_abs' : 'mean',
  });
  const row = Array.from(map.subarray(position * L, position * L + position + 1), Math.abs);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return sum(row.slice(start, end)) / sum(row);
}
