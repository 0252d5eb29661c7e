'use client';
import { useMemo } from 'react';
import { type ColourTable, colourTable, type RampKind } from '../charts/palette';
import { rowShares, saturation, type ValueScale, valueScale } from '../charts/values';
import type { LayerMaps } from '../data/queries';
import { useSelection } from '../state/selection';
import { usePalette } from '../state/theme';

/** A map as it is drawn: its values on the chosen scale, and its colours. */
export interface DrawnMap {
  readonly source: LayerMaps;
  readonly L: number;
  /** As computed. */
  readonly raw: Float32Array;
  /** As drawn: the same, or shares of each row. */
  readonly values: Float32Array;
  readonly scale: ValueScale;
  readonly kind: RampKind;
  readonly table: ColourTable;
}

/** Above this reconstruction error a map's small values mean nothing. */
export const ERROR_LIMIT = 1e-3;

/** The maps of one layer on the chosen value scale, shared between the models unless the researcher parted it. */
export function useDrawnMaps(maps: readonly LayerMaps[]): (DrawnMap | undefined)[] {
  const mode = useSelection((s) => s.values);
  const shared = useSelection((s) => s.sharedScale);
  const signed = useSelection((s) => s.reduction !== 'mean_abs');
  const palette = usePalette();
  const datas = maps.map((entry) => entry.map);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the maps themselves are the dependencies.
  const drawn = useMemo(
    () => datas.map((map) => map && { map, values: mode === 'row' ? rowShares(map.data, map.L) : map.data }),
    [mode, ...datas],
  );
  const scales = useMemo(() => {
    const present = drawn.filter((entry) => entry !== undefined).map(({ values }) => values);
    const common = shared ? valueScale(saturation(present), signed, mode) : undefined;
    return drawn.map((entry) => common ?? valueScale(entry ? saturation([entry.values]) : 1, signed, mode));
  }, [drawn, shared, signed, mode]);
  const kind = signed ? 'diverging' : 'sequential';
  const table = colourTable(palette, kind);
  return drawn.map(
    (entry, k) =>
      entry && {
        source: maps[k],
        L: entry.map.L,
        raw: entry.map.data,
        values: entry.values,
        scale: scales[k],
        kind,
        table,
      },
  );
}
