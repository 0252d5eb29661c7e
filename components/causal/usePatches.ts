import { useEffect, useMemo } from 'react';
import type { Pair } from '@/lib/vocabulary';
import type { View } from '../data/view';
import { dropJob, isJobBusy, type Job, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { attributionRequest, isEstimated, patchCellRequest, patchRequest } from './requests';
import { type ResultOf, resultOf } from './results';
import { jobName, useCausal } from './settings';
import { useAsked } from './useAsked';

/** A choice comes to rest before its cells are patched. */
const QUIET_MS = 250;

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

export interface PatchedCells {
  readonly layer: number;
  /** Tokens [first, last] of model A. */
  readonly tokens: readonly [number, number];
  readonly found: readonly (ResultOf<'patch'> | undefined)[];
  readonly isBusy: boolean;
}

/** Patches exactly what is pinned, or the span that was drawn over the rows in the pinned or selected layer, once there are estimates. */
export function useExactCells(view: View, pair: Pair, isOn: boolean): PatchedCells | undefined {
  const point = useCausal((s) => s.point);
  const branch = useCausal((s) => s.branch);
  const direction = useCausal((s) => s.direction);
  const window = useWindow();
  const pin = useCausal((s) => s.pin);
  const span = useCausal((s) => s.span);
  const names = view.models.map(({ slot }) => jobName('patch-cell', slot));
  const jobs = useJobsOf(names);
  const layer = pin?.layer ?? view.layer;
  const [first, last] = span ?? (pin ? [pin.position, pin.position] : [-1, -1]);
  const list = names.join(' ');
  const requests = useMemo(
    () =>
      view.models.map((model) =>
        isOn && first >= 0
          ? patchCellRequest(view, model, { point, branch, direction, window }, pair, layer, [first, last])
          : undefined,
      ),
    [view, isOn, point, branch, direction, window, pair, layer, first, last],
  );
  useEffect(() => {
    const timer = setTimeout(() => {
      list.split(' ').forEach((name, k) => {
        const request = requests[k];
        if (!request) dropJob(name);
        else if (!sameRequest(useJobs.getState().jobs[name]?.request, request)) void startJob(name, request);
      });
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [list, requests]);
  return useMemo(() => {
    if (!isOn || first < 0) return undefined;
    const own = (job: Job | undefined, k: number) => {
      const request = requests[k];
      return request && sameRequest(job?.answered, request) ? resultOf(job, 'patch') : undefined;
    };
    return { layer, tokens: [first, last], found: jobs.map(own), isBusy: jobs.some(isJobBusy) };
  }, [isOn, layer, first, last, jobs, requests]);
}
