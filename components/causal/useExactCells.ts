import { useEffect, useMemo } from 'react';
import type { AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import type { ModelView, View } from '../data/view';
import { dropJob, isJobBusy, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';
import { type ResultOf, resultOf } from './results';
import { jobName, useCausal } from './settings';

/** A choice comes to rest before its cells are computed. */
const QUIET_MS = 250;

/** Cells of one layer that were computed exactly beside estimates. */
export interface ExactCells<K extends AnalysisResult['kind']> {
  readonly layer: number;
  /** Tokens [first, last] of model A. */
  readonly tokens: readonly [number, number];
  readonly found: readonly (ResultOf<K> | undefined)[];
  readonly isBusy: boolean;
}

/**
 * Computes exactly what is pinned, or the span that was drawn over the rows in the pinned or selected layer, once there are estimates.
 * @param request of one model, the same as long as it asks the same
 * @param spans whether a span has a cell here
 */
export function useExactCells<K extends AnalysisResult['kind']>(
  view: View,
  kind: K,
  isOn: boolean,
  request: (model: ModelView, layer: number, tokens: readonly [number, number]) => AnalysisRequestInput | undefined,
  spans = true,
): ExactCells<K> | undefined {
  const pin = useCausal((s) => s.pin);
  const drawn = useCausal((s) => s.span);
  const span = spans ? drawn : null;
  const names = view.models.map(({ slot }) => jobName(`${kind}-cell`, slot));
  const jobs = useJobsOf(names);
  const layer = pin?.layer ?? view.layer;
  const [first, last] = span ?? (pin ? [pin.position, pin.position] : [-1, -1]);
  const list = names.join(' ');
  const requests = useMemo(
    () => view.models.map((model) => (isOn && first >= 0 ? request(model, layer, [first, last]) : undefined)),
    [view, isOn, request, layer, first, last],
  );
  useEffect(() => {
    const timer = setTimeout(() => {
      list.split(' ').forEach((name, k) => {
        const asked = requests[k];
        if (!asked) dropJob(name);
        else if (!sameRequest(useJobs.getState().jobs[name]?.request, asked)) void startJob(name, asked);
      });
    }, QUIET_MS);
    return () => clearTimeout(timer);
  }, [list, requests]);
  return useMemo(() => {
    if (!isOn || first < 0) return undefined;
    const found = jobs.map((job, k) => {
      const asked = requests[k];
      return asked && sameRequest(job?.answered, asked) ? resultOf(job, kind) : undefined;
    });
    return { layer, tokens: [first, last], found, isBusy: jobs.some(isJobBusy) };
  }, [isOn, kind, layer, first, last, jobs, requests]);
}
