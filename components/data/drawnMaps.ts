'use client';
import { useMemo } from 'react';
import { type ColourTable, colourTable, type RampKind } from '@/lib/figures/palette';
import { DIFFERENTIAL_BRANCHES } from '@/lib/vocabulary';
import { type HalfMap, toHalf } from '../charts/half';
import { Pyramid } from '../charts/pyramid';
import { rowShares, saturation, type ValueMode, type ValueScale, valueScale } from '../charts/values';
import { holdsIdentity } from '../state/forms';
import { isOfSizes, isSigned, overLayers, spanOf, useSelection } from '../state/selection';
import { usePalette } from '../state/theme';
import { Recent } from '../ui/recent';
import { useSteady } from '../ui/steady';
import type { LayerMaps } from './mapQueries';
import { hasDiff } from './view';

/** The numbers of a map that a picture is drawn from. */
export interface MapCells {
  /** As drawn: as computed, or shares of each row. */
  readonly values: Float32Array;
  readonly half: HalfMap;
  readonly pyramid: Pyramid;
}

/** A map as it is drawn: its values on the chosen scale, and its colours. */
export interface DrawnMap extends MapCells {
  readonly source: LayerMaps;
  readonly L: number;
  /** As computed. */
  readonly raw: Float32Array;
  readonly scale: ValueScale;
  readonly kind: RampKind;
  readonly table: ColourTable;
}

/** Above this reconstruction error a map's small values mean nothing. */
export const ERROR_LIMIT = 1e-3;

export const errorTooLarge = (error: number | undefined): boolean => error !== undefined && !(error <= ERROR_LIMIT);

const known = new WeakMap<Float32Array, Map<string, MapCells>>();

/** A map minus the identity. */
function withoutIdentity(data: Float32Array, L: number): Float32Array {
  const rest = data.slice();
  for (let i = 0; i < L; i++) rest[i * L + i] -= 1;
  return rest;
}

/** The cells of a map, with or without the identity in it, made once for as long as the map is kept. */
export function cellsOf(data: Float32Array, L: number, mode: ValueMode, identity = true): MapCells {
  const shares = mode === 'row';
  const made = known.get(data) ?? new Map<string, MapCells>();
  known.set(data, made);
  const key = `${shares} ${identity}`;
  let cells = made.get(key);
  if (!cells) {
    const own = identity ? data : withoutIdentity(data, L);
    const values = shares ? rowShares(own, L) : own;
    const half = toHalf(values, L);
    cells = { values, half, pyramid: new Pyramid(half) };
    made.set(key, cells);
  }
  return cells;
}

/** Everything of an entry that shares its scale: the chosen map, or all branches where all are shown. */
function shownHalves({ map, branches }: LayerMaps, mode: ValueMode, all: boolean, identity: boolean): HalfMap[] {
  const maps = all && branches ? DIFFERENTIAL_BRANCHES.map((branch) => branches[branch]) : [map];
  return maps.flatMap((one) => (one ? [cellsOf(one.data, one.L, mode, identity).half] : []));
}

/** Two models, three branches of a layer and of the one before. */
const drawn = new Recent<DrawnMap>(12);

/** The maps of one layer on the chosen value scale, shared between the models unless the researcher parted it. */
export function useDrawnMaps(maps: readonly LayerMaps[]): readonly (DrawnMap | undefined)[] {
  const mode = useSelection((s) => s.values);
  const shared = useSelection((s) => s.sharedScale);
  const signedForm = useSelection(isSigned);
  const sizes = useSelection(isOfSizes);
  const product = useSelection((s) => overLayers(s) && s.branch === 'diff');
  const identity = useSelection((s) => !holdsIdentity(spanOf(s)));
  const clip = useSelection((s) => s.clip);
  const limit = useSelection((s) => s.limit);
  const all = useSelection((s) => s.allBranches);
  const palette = usePalette();
  const entries = useSteady(maps);
  // One ramp for all: A's sizes beside B's difference of sizes are read on the same scale.
  const subtracts = ({ branch, branches, model }: LayerMaps) =>
    branch === 'diff' || (all && branches !== undefined) || (product && hasDiff(model));
  const signed = signedForm || (sizes && entries.some(subtracts));
  return useMemo(() => {
    const halves = entries.map((entry) => shownHalves(entry, mode, all, identity));
    const limitOf = (own: HalfMap[]) => limit ?? saturation(own, clip);
    const common = limitOf(halves.flat());
    const kind = signed ? 'diverging' : 'sequential';
    const table = colourTable(palette, kind);
    return entries.map((source, k): DrawnMap | undefined => {
      const { map } = source;
      if (!map) return undefined;
      const own = shared ? common : limitOf(halves[k]);
      return drawn.recall([source, own, signed, mode, table, identity], () => {
        const scale = valueScale(own, signed, mode);
        return { ...cellsOf(map.data, map.L, mode, identity), source, L: map.L, raw: map.data, scale, kind, table };
      });
    });
  }, [entries, mode, shared, signed, clip, limit, all, identity, palette]);
}
