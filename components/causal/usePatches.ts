import { useCallback, useMemo } from 'react';
import type { Pair } from '@/lib/vocabulary';
import type { ModelView, View } from '../data/view';
import { attributionRequest, isEstimated, patchCellRequest, patchRequest } from './requests';
import { resultOf } from './results';
import { jobName, useCausal } from './settings';
import { useAsked } from './useAsked';
import { type ExactCells, useExactCells } from './useExactCells';

/** Whether patches are estimated: where a point cannot be, they are made one by one. */
export function useHow(): 'estimate' | 'exact' {
  const how = useCausal((s) => s.how);
  const point = useCausal((s) => s.point);
  const window = useCausal((s) => s.window);
  return isEstimated(point, window) ? how : 'exact';
}

/** Layers that are patched together: what decoding remembers goes one layer at a time. */
const useWindow = (): number => useCausal((s) => (s.point === 'conv' ? 1 : s.window));

/** The grids that the settings ask for, estimated or exact, and their jobs. */
export function usePatches(view: View, pair: Pair) {
  const how = useHow();
  const point = useCausal((s) => s.point);
  const branch = useCausal((s) => s.branch);
  const direction = useCausal((s) => s.direction);
  const measure = useCausal((s) => s.measure);
  const rows = useCausal((s) => s.rows);
  const window = useWindow();
  const names = view.models.map(({ slot }) => jobName(how === 'exact' ? 'patch' : 'estimate', slot));
  // Exact patching measures everything at once; an estimate follows one measure.
  const followed = how === 'exact' ? 'logit_difference' : measure;
  const requests = useMemo(
    () =>
      view.models.map((model) =>
        how === 'exact'
          ? patchRequest(view, model, { point, branch, direction, rows, window }, pair)
          : attributionRequest(view, model, { point, branch, direction, measure: followed, window }, pair),
      ),
    [view, how, point, branch, direction, followed, rows, window, pair],
  );
  const { jobs, stale, start } = useAsked(names, requests);
  return {
    how,
    names,
    jobs,
    stale,
    start,
    exact: useMemo(() => jobs.map((job) => resultOf(job, 'patch')), [jobs]),
    estimated: useMemo(() => jobs.map((job) => resultOf(job, 'patch_attribution')), [jobs]),
  };
}

/** Patches exactly what is pinned, or the span that was drawn over the rows, once there are estimates. */
export function useExactPatches(view: View, pair: Pair, isOn: boolean): ExactCells<'patch'> | undefined {
  const point = useCausal((s) => s.point);
  const branch = useCausal((s) => s.branch);
  const direction = useCausal((s) => s.direction);
  const window = useWindow();
  const request = useCallback(
    (model: ModelView, layer: number, tokens: readonly [number, number]) =>
      patchCellRequest(view, model, { point, branch, direction, window }, pair, layer, tokens),
    [view, point, branch, direction, window, pair],
  );
  return useExactCells(view, 'patch', isOn, request);
}
