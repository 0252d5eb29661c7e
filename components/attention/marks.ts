import { rowPeak } from '../charts/pair';
import { type ModelView, ownToken } from '../data/view';
import type { Hover } from '../state/hover';
import type { Cell } from '../state/selection';
import type { MapPanel } from './panels';

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

/** The row under the pointer, else the locked one, else the read-out, in a model's own tokens. */
export function shownRow(model: ModelView, hovered: number | undefined, locked: number | undefined): number {
  return ownToken(model, hovered) ?? ownToken(model, locked) ?? model.position;
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
    ...{ hoverRow, hoverColumn, lockRow, lockColumn },
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
