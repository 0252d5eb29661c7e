import { rowPeak } from '../charts/pair';
import type { MapPanel } from '../data/panels';
import { type ModelView, ownToken, shownRow } from '../data/view';
import type { Hover } from '../state/hover';
import type { Cell } from '../state/selection';

/** What hover and lock mark on one map, in its model's own tokens. */
export interface MapMarks {
  /** The row under the pointer, else the locked one, else the read-out. */
  readonly row: number;
  readonly hoverRow?: number;
  readonly hoverColumn?: number;
  readonly lockRow?: number;
  readonly lockColumn?: number;
  readonly crossRow?: number;
  readonly crossColumn?: number;
}

export function marksOf(
  model: ModelView,
  { destination, source }: Pick<Hover, 'destination' | 'source'>,
  lock: Cell | null,
): MapMarks {
  const [hoverRow, hoverColumn] = [ownToken(model, destination), ownToken(model, source)];
  const [lockRow, lockColumn] = [ownToken(model, lock?.destination), ownToken(model, lock?.source)];
  return {
    row: shownRow(model, destination, lock?.destination),
    hoverRow,
    hoverColumn,
    lockRow,
    lockColumn,
    crossRow: hoverRow ?? (destination === undefined ? lockRow : undefined),
    crossColumn: hoverColumn ?? (source === undefined && destination === undefined ? lockColumn : undefined),
  };
}

/** The largest magnitude of the rows that several maps show: the scale of their profiles. */
export const profilePeak = (panels: readonly MapPanel[], hovered: number | undefined, lock: Cell | null): number =>
  Math.max(
    ...panels.map(({ drawn, entry: { model } }) =>
      drawn ? rowPeak(drawn.values, drawn.L, Math.min(drawn.L - 1, shownRow(model, hovered, lock?.destination))) : 0,
    ),
  );
