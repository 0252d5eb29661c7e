import type { Region } from './pyramid';

/** Means of |value| over the causal cells of a region of a map [L, L]: one a row, one a column; 0 where there is no cell. */
export interface Marginals {
  readonly rows: Float32Array;
  readonly columns: Float32Array;
}

/** @param magnitude of what one element of `map` stands for. */
export function marginals(
  map: ArrayLike<number>,
  L: number,
  { row0, row1, column0, column1 }: Region,
  magnitude: (element: number) => number = Math.abs,
): Marginals {
  const rows = new Float32Array(row1 - row0);
  const columns = new Float32Array(column1 - column0);
  for (let i = row0; i < row1; i++) {
    const end = Math.min(column1, i + 1);
    let sum = 0;
    for (let j = column0; j < end; j++) {
      const cell = magnitude(map[i * L + j]);
      sum += cell;
      columns[j - column0] += cell;
    }
    rows[i - row0] = end > column0 ? sum / (end - column0) : 0;
  }
  for (let j = column0; j < column1; j++) {
    const cells = row1 - Math.max(row0, j);
    columns[j - column0] = cells > 0 ? columns[j - column0] / cells : 0;
  }
  return { rows, columns };
}
