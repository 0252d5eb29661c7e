import type { Lens } from '@/lib/api/bodies';
import { layerName } from '../charts/layerAxis';
import type { DataTable } from '../charts/table';
import { displayToken } from '../charts/tokens';
import { lensRow } from '../data/series';
import { ownToken, type View } from '../data/view';

/** The lens of every model at one position by layer; `position` is a token of model A. */
export function lensTable(
  view: View,
  lenses: readonly (Lens | undefined)[],
  position: number,
  textOf: (model: number, id: number) => string,
): DataTable {
  const columns = view.models.flatMap(({ slot }) => [
    `top token ${slot}`,
    `p(top) ${slot}`,
    `p(target) ${slot}`,
    `rank of target ${slot}`,
    `entropy, nats ${slot}`,
    `KL to output, nats ${slot}`,
  ]);
  const cells = view.models.map((model, k) => {
    const [lens, own] = [lenses[k], ownToken(model, position)];
    return lens && own !== undefined && own < lens.L ? lensRow(lens, own, view.layers) : [];
  });
  const rows = Array.from({ length: view.layers + 2 }, (_, entry) => [
    layerName(entry - 1, view.layers),
    ...cells.flatMap((row, k) => {
      const cell = row[entry];
      if (!cell) return [null, null, null, null, null, null];
      const top = displayToken(textOf(k, cell.topId));
      return [top, cell.topProb, cell.targetProb, cell.targetRank, cell.entropy, cell.kl];
    }),
  ]);
  return { caption: `Lens by layer at position ${position}`, columns: ['layer', ...columns], rows };
}
