'use client';
import { useMemo } from 'react';
import { colourTable } from '@/lib/figures/palette';
import { DIFFERENTIAL_BRANCHES } from '@/lib/vocabulary';
import { toHalf } from '../charts/half';
import { Pyramid } from '../charts/pyramid';
import { valueScale } from '../charts/values';
import { useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { Recent } from '../ui/recent';
import { cellsOf, type DrawnMap } from './drawnMaps';
import type { LayerMaps } from './mapQueries';
import { BRANCH_NAMES, type ModelView } from './view';

/** One picture of the attention section. */
export interface MapPanel {
  readonly key: string;
  /** Whose it is; Δ is B − A. */
  readonly name: 'A' | 'B' | 'Δ';
  readonly entry: LayerMaps;
  readonly drawn: DrawnMap | undefined;
  /** Named only where a model has several panels. */
  readonly branch?: string;
}

/** The name of a panel's pointer surface in the document. */
export const surfaceId = ({ key, name, branch }: Pick<MapPanel, 'key' | 'name' | 'branch'>): string =>
  branch ? `map-${key}` : `map-${name === 'Δ' ? 'difference' : name}`;

/** B − A cell by cell, on the scale of B's map made symmetric; undefined until both maps are there. */
function differenceOf(maps: readonly (DrawnMap | undefined)[], table: DrawnMap['table']): DrawnMap | undefined {
  const [a, b] = maps;
  if (!a || !b || a.L !== b.L) return undefined;
  const values = new Float32Array(b.values.length);
  for (let k = 0; k < values.length; k++) values[k] = b.values[k] - a.values[k];
  const half = toHalf(values, b.L);
  const scale = valueScale(Math.max(a.scale.limit, b.scale.limit), true, b.scale.mode);
  return { ...b, values, raw: values, half, pyramid: new Pyramid(half), scale, kind: 'diverging', table };
}

/** Whether cells of A and B can be subtracted: both have the same tokens. */
export const canSubtract = (models: readonly ModelView[]): boolean =>
  models.length === 2 && models[1].fromA === undefined;

/** Two models, three branches of a layer and of the one before. */
const alone = new Recent<MapPanel>(12);

/** The pictures to show: one a model, and B − A; or every branch of every differential block. */
export function usePanels(entries: readonly LayerMaps[], maps: readonly (DrawnMap | undefined)[]): readonly MapPanel[] {
  const difference = useSelection((s) => s.difference) && canSubtract(entries.map(({ model }) => model));
  const all = useSelection((s) => s.allBranches);
  const palette = usePalette();
  return useMemo(() => {
    if (all && entries.some(({ branches }) => branches))
      return entries.flatMap((entry, k) => {
        const { branches, model } = entry;
        return branches
          ? DIFFERENTIAL_BRANCHES.map((branch): MapPanel => {
              const [map, own] = [branches[branch], maps[k]];
              const drawn =
                map && own ? { ...own, ...cellsOf(map.data, map.L, own.scale.mode), raw: map.data } : undefined;
              return { key: `${model.slot}-${branch}`, name: model.slot, entry, drawn, branch: BRANCH_NAMES[branch] };
            })
          : [];
      });
    const own = entries.map(
      (entry, k): MapPanel =>
        alone.recall([entry, maps[k]], () => {
          const { slot } = entry.model;
          return { key: slot, name: slot, entry, drawn: maps[k] };
        }),
    );
    if (!difference) return own;
    const drawn = differenceOf(maps, colourTable(palette, 'diverging'));
    return [...own, { key: 'Δ', name: 'Δ', entry: entries[1], drawn }];
  }, [entries, maps, difference, all, palette]);
}
