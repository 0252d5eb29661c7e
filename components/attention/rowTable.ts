import { type DataTable, tableOf } from '../charts/table';
import { displayToken } from '../charts/tokens';
import type { DrawnMap } from '../data/drawnMaps';
import { ownToken, type View } from '../data/view';

/** What one destination reads from every source up to itself, as computed; `row` is a token of model A. */
export function rowTable(view: View, maps: readonly (DrawnMap | undefined)[], row: number): DataTable {
  const sources = Array.from({ length: row + 1 }, (_, source) => source);
  const columns = view.models.map(({ slot, name }, k) => {
    const map = maps[k];
    return {
      name: `${slot} ${name}`,
      values: sources.map((source) => {
        if (!map) return undefined;
        const { model } = map.source;
        const [i, j] = [ownToken(model, row), ownToken(model, source)];
        return i === undefined || j === undefined || i >= map.L ? undefined : map.raw[i * map.L + j];
      }),
    };
  });
  const token = (k: number) => displayToken(view.tokens[k]?.text ?? '');
  return tableOf(
    `What position ${row} ${token(row)} reads in layer ${view.layer}`,
    [
      { name: 'source', values: sources },
      { name: 'token', values: sources.map(token) },
    ],
    columns,
  );
}
