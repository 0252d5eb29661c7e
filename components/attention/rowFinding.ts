import { pairFacts, topSources } from '../charts/pair';

/** What a row of a map [L, L] shows first: its largest read, and how much of it the needle is. */
export interface RowFinding {
  readonly source: number;
  readonly value: number;
  /** |value| over the row's Σ|value|. */
  readonly share: number;
  /** The needle's part of Σ|value|; undefined without a needle up to here. */
  readonly needle?: number;
}

/** @param needle first and last token. @returns undefined for a row of zeros. Cost: two passes over the row. */
export function rowFinding(
  map: Float32Array,
  L: number,
  row: number,
  needle?: readonly [number, number],
): RowFinding | undefined {
  const [source] = topSources(map, L, row, 1);
  const { value, share } = pairFacts(map, L, row, source);
  if (!Number.isFinite(share)) return undefined;
  if (!needle || needle[0] > row) return { source, value, share };
  const size = (from: number, to: number) =>
    map.subarray(row * L + from, row * L + to + 1).reduce((sum, v) => sum + Math.abs(v), 0);
  return { source, value, share, needle: size(needle[0], Math.min(needle[1], row)) / size(0, row) };
}

/** A share as people say it. */
export const percent = (share: number): string =>
  share > 0 && share < 0.005 ? '< 1 %' : share > 0.995 && share < 1 ? '> 99 %' : `${Math.round(100 * share)} %`;
