import type { AnalysisRequestInput } from '@/lib/api/causal';
import { sameRequest, startJob, useJobsOf } from '../state/jobs';

/** The jobs of these names, whether they answer other requests than these, and a way to start these. */
export function useAsked(names: readonly string[], requests: readonly (AnalysisRequestInput | undefined)[]) {
  const jobs = useJobsOf(names);
  const stale = requests.some((request, k) => (request ? !sameRequest(jobs[k]?.answered, request) : false));
  const start = () =>
    requests.forEach((request, k) => {
      if (request) void startJob(names[k], request);
    });
  return { jobs, stale, start };
}
