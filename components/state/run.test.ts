import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Run, RunEvent } from '@/lib/api/schemas';
import { client } from '../data/client';
import { afterEvent, cancelRun, startRun, useRun } from './run';

const model = (name: string): Run['models'][number] => ({
  name,
  tokens: [],
  position: 0,
  needle: null,
  target: { id: 1, text: ' a' },
  candidates: [],
  entries: ['embedding', 'layer 0', 'final'],
  blocks: [],
  mapsReady: 0,
  signalReady: false,
  lensReady: false,
});

const run: Run = {
  id: 'r',
  state: 'running',
  request: { models: ['x', 'y'], prompt: 'p', position: -1, target: 'a' },
  queuePosition: 1,
  progress: null,
  models: [model('x'), model('y')],
  device: null,
  timing: { createdAt: 0, startedAt: null, finishedAt: null, firstMapMs: null },
  available: true,
  analyses: [],
};

describe('afterEvent', () => {
  it('counts finished layers for the model the event names, and never backwards', () => {
    const once = afterEvent(run, { event: 'layer', data: { model: 1, layer: 2, lambda: null, readout: [] } });
    expect(once?.models.map((m) => m.mapsReady)).toEqual([0, 3]);
    expect(
      afterEvent(once, { event: 'layer', data: { model: 1, layer: 0, lambda: 0.5, readout: [] } })?.models[1].mapsReady,
    ).toBe(3);
  });

  it('learns λ with its layer', () => {
    const block = {
      kind: 'diff_mamba2',
      lambda: null,
      lambdaInit: 0.2,
      branches: ['diff'],
      heads: 2,
      channels: 4,
    } as const;
    const open = { ...run, models: [{ ...model('x'), blocks: [{ ...block, branches: [...block.branches] }] }] };
    const next = afterEvent(open, { event: 'layer', data: { model: 0, layer: 0, lambda: 0.7, readout: [] } });
    expect(next?.models[0].blocks[0].lambda).toBe(0.7);
  });

  it('marks signals and lenses as ready', () => {
    const next = afterEvent(afterEvent(run, { event: 'signal', data: { model: 0 } }), {
      event: 'lens',
      data: { model: 1 },
    });
    expect(next?.models.map((m) => [m.signalReady, m.lensReady])).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it('takes the state and its error, and waits for a whole state first', () => {
    expect(afterEvent(run, { event: 'state', data: { state: 'error', error: 'stop' } })).toMatchObject({
      state: 'error',
      error: 'stop',
      queuePosition: 0,
    });
    expect(afterEvent(null, { event: 'state', data: { state: 'done' } })).toBeNull();
    expect(afterEvent(null, { event: 'run', data: run })).toBe(run);
  });
});

describe('cancelRun', () => {
  afterEach(() => vi.restoreAllMocks());

  it('cancels a run that has no name or no event yet, as soon as it has a name', async () => {
    let answer: (reply: { id: string }) => void = () => undefined;
    vi.spyOn(client, 'startRun').mockReturnValue(new Promise((resolve) => (answer = resolve)));
    let tell: (message: RunEvent) => void = () => undefined;
    vi.spyOn(client, 'subscribe').mockImplementation((_id, onEvent) => {
      tell = onEvent;
      return () => undefined;
    });
    const cancel = vi.spyOn(client, 'cancelRun').mockResolvedValue({ ...run, state: 'cancelled' });
    const started = startRun(run.request);
    await cancelRun();
    expect(cancel).not.toHaveBeenCalled();
    answer({ id: 'late' });
    await started;
    expect(cancel).toHaveBeenCalledWith('late');

    await startRun(run.request);
    expect(cancel).toHaveBeenCalledTimes(1);
    expect(useRun.getState().starting).toBe(true);
    await cancelRun();
    expect(cancel).toHaveBeenCalledTimes(2);
    await startRun(run.request);
    tell({ event: 'run', data: { ...run, id: 'late' } });
    await vi.waitFor(() => expect(useRun.getState().starting).toBe(false));
  });
});
