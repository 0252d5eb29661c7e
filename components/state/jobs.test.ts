import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnalysisEvent, AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import { client } from '../data/client';
import { cancelJob, dropJob, isJobBusy, sameRequest, startJob, useJobs } from './jobs';

const asking = (point: string): AnalysisRequestInput => ({
  ...{ kind: 'patch', model: 'm', target: 'a', clean: 'p', corrupted: 'q', point },
});
const result = { kind: 'patch', patched: [] } as unknown as AnalysisResult;
const job = () => useJobs.getState().jobs.test;

let tell: Record<string, (event: AnalysisEvent) => void>;
let cancelled: string[];

beforeEach(() => {
  tell = {};
  cancelled = [];
  let next = 0;
  vi.spyOn(client, 'startAnalysis').mockImplementation(async () => ({ id: `job-${++next}` }));
  vi.spyOn(client, 'followAnalysis').mockImplementation((id, listener) => {
    tell[id] = listener;
    return () => undefined;
  });
  vi.spyOn(client, 'cancelAnalysis').mockImplementation(async (id) => {
    cancelled.push(id);
    return { state: 'cancelled' } as never;
  });
});
afterEach(() => {
  dropJob('test');
  vi.restoreAllMocks();
});

describe('an analysis on the page', () => {
  it('is busy from the first press to its end, and keeps what it answers', async () => {
    const started = startJob('test', asking('one'));
    expect(isJobBusy(job())).toBe(true);
    await started;
    tell['job-1']({ event: 'progress', data: { done: 1, total: 4, secondsLeft: 2 } });
    tell['job-1']({ event: 'result', data: result });
    expect(job()).toMatchObject({ id: 'job-1', progress: { done: 1 }, result, answered: asking('one') });
    tell['job-1']({ event: 'state', data: { state: 'done' } });
    expect(isJobBusy(job())).toBe(false);
  });

  it('takes the place of the one before it, which is cancelled and heard no more', async () => {
    await startJob('test', asking('one'));
    tell['job-1']({ event: 'result', data: result });
    await startJob('test', asking('two'), true);
    expect(cancelled).toEqual(['job-1']);
    expect(job()).toMatchObject({ result, answered: asking('one'), request: asking('two') });
    tell['job-1']({ event: 'state', data: { state: 'error', error: 'late' } });
    expect(job()?.failure).toBe('');
    await startJob('test', asking('three'));
    expect(job()?.result).toBeNull();
  });

  it('that is cancelled before it has an id is cancelled once it has one', async () => {
    const started = startJob('test', asking('one'));
    cancelJob('test');
    await started;
    expect(cancelled).toEqual(['job-1']);
  });

  it('says why it was refused', async () => {
    vi.spyOn(client, 'startAnalysis').mockRejectedValue(new Error('no such layer'));
    await startJob('test', asking('one'));
    expect(job()).toMatchObject({ state: 'error', failure: 'no such layer' });
    expect(isJobBusy(job())).toBe(false);
  });

  it('knows whether a result answers a question', () => {
    expect(sameRequest(asking('one'), asking('one'))).toBe(true);
    expect(sameRequest(asking('one'), asking('two'))).toBe(false);
    expect(sameRequest(null, asking('one'))).toBe(false);
  });
});
