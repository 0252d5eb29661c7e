import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnalysisEvent, AnalysisRequestInput, AnalysisResult } from '@/lib/api/causal';
import { ApiError } from '@/lib/api/client';
import { questionOf } from '@/lib/api/question';
import type { Run } from '@/lib/api/schemas';
import { client } from '../data/client';
import { cancelJob, dropJob, isAnswered, isJobBusy, openJob, sameRequest, startJob, useJobs } from './jobs';
import { useRun } from './run';

const asking = (point: string): AnalysisRequestInput => ({
  kind: 'patch',
  model: 'm',
  target: 'a',
  clean: 'p',
  corrupted: 'q',
  point,
});
const result = { kind: 'patch', patched: [] } as unknown as AnalysisResult;
const job = () => useJobs.getState().jobs.test;

let tell: Record<string, (event: AnalysisEvent) => void>;
let refuse: Record<string, (status: number) => void>;
let cancelled: string[];

beforeEach(() => {
  tell = {};
  refuse = {};
  cancelled = [];
  let next = 0;
  vi.spyOn(client, 'startAnalysis').mockImplementation(async () => ({ id: `job-${++next}` }));
  vi.spyOn(client, 'followAnalysis').mockImplementation((id, listener, onError) => {
    tell[id] = listener;
    refuse[id] = (status) => onError?.(new ApiError('gone', status));
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

  it('opens what the run has the answer to, and asks again where that is gone', async () => {
    const request = asking('kept');
    const analyses = [{ id: 'old', kind: 'patch', question: questionOf(request), createdAt: 0 }];
    useRun.setState({ run: { id: 'run', analyses } as unknown as Run });
    expect([isAnswered(request), isAnswered(asking('other'))]).toEqual([true, false]);
    await startJob('test', request);
    expect(client.startAnalysis).not.toHaveBeenCalled();
    tell.old({ event: 'analysis', data: { state: 'done', progress: null, result } as never });
    expect(job()).toMatchObject({ id: 'old', state: 'done', result, answered: request });

    await startJob('test', asking('new'));
    expect(client.startAnalysis).toHaveBeenCalledWith(asking('new'), { run: 'run' });
    tell['job-1']({ event: 'state', data: { state: 'done' } });
    await startJob('test', request);
    refuse.old(404);
    await vi.waitFor(() => expect(job()?.id).toBe('job-2'));
    expect(client.startAnalysis).toHaveBeenLastCalledWith(request, { run: 'run' });
    await startJob('test', asking('new'));
    expect(job()?.id).toBe('job-1');
    useRun.setState({ run: null });
    expect(isAnswered(request)).toBe(false);
  });

  it('is opened by its id, where the server has it', () => {
    const known = { id: 'old', state: 'done', request: asking('one'), progress: null, result };
    openJob('test', 'old');
    tell.old({ event: 'analysis', data: known as never });
    expect(job()).toMatchObject({ id: 'old', state: 'done', result, answered: asking('one') });
    openJob('test', 'older');
    refuse.older(404);
    expect(job()).toBeUndefined();
  });

  it('knows whether a result answers a question', () => {
    expect(sameRequest(asking('one'), asking('one'))).toBe(true);
    expect(sameRequest(asking('one'), asking('two'))).toBe(false);
    expect(sameRequest(null, asking('one'))).toBe(false);
  });
});
