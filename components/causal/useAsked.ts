import { useEffect } from 'react';
import type { AnalysisRequestInput } from '@/lib/api/causal';
import { isAnswered, isJobBusy, sameRequest, startJob, useJobs, useJobsOf } from '../state/jobs';

/**
 * The jobs of these names, whether they answer other requests than these, and a way to start these. What the run has
 * the answer to is shown without a start.
 */
export function useAsked(names: readonly string[], requests: readonly (AnalysisRequestInput | undefined)[]) {
  const jobs = useJobsOf(names);
  const stale = requests.some((request, k) => (request ? !sameRequest(jobs[k]?.answered, request) : false));
  const list = names.join(' ');
  useEffect(() => {
    list.split(' ').forEach((name, k) => {
      const job = useJobs.getState().jobs[name];
      const request = requests[k];
      if (request && !isJobBusy(job) && !sameRequest(job?.request, request) && isAnswered(request))
        void startJob(name, request);
    });
  }, [list, requests]);
  const start = () =>
    requests.forEach((request, k) => {
      if (request) void startJob(names[k], request);
    });
  return { jobs, stale, start };
}
