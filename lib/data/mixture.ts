import { Random } from '@/lib/random';
import type { DataSource, Row, Split } from './source';

/** A source of a mixture, by its place in a list, and how often its rows come. */
export interface MixedPart {
  readonly source: number;
  readonly weight: number;
}

/** A row with the part of the mixture that it is of. */
export interface MixedRow extends Row {
  readonly part: number;
}

/** Parts the choice of a source from everything else that a seed decides. */
const CHOICES = 0x3175;

/** The part that row `index` of a mixture is of: a function of seed and index alone, in proportion to the weights. */
export function partAt(parts: readonly MixedPart[], seed: number, index: number): number {
  if (parts.length === 1) return 0;
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  let left = Random.at(seed, CHOICES, index).uniform(0, total);
  const found = parts.findIndex(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  return found < 0 ? parts.length - 1 : found;
}

/** How far the rows of a mixture are read: the next row, and the next row of each source. */
export interface Place {
  readonly row: number;
  readonly read: readonly number[];
}

/**
 * The next rows of a mixture, and the place behind them. Each source is read in its own order without a gap, so that a file
 * is read once before it begins again however often the others come.
 */
export function mixedRows(
  sources: readonly DataSource[],
  parts: readonly MixedPart[],
  options: { readonly seed: number; readonly split: Split; readonly place: Place; readonly count: number },
): { rows: MixedRow[]; place: Place } {
  const { seed, split, place, count } = options;
  const read = [...place.read];
  const rows = Array.from({ length: count }, (_, k) => {
    const part = partAt(parts, seed, place.row + k);
    const { source } = parts[part];
    const row = sources[source].row(split, read[source]);
    read[source] += 1;
    return { ...row, part };
  });
  return { rows, place: { row: place.row + count, read } };
}
