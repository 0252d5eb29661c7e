import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnalysisEvent } from '@/lib/api/causal';
import { ApiError } from '@/lib/api/client';
import { JobMachine, type Status, type Transport, wordsOf } from './job';

/** A server that does what a test says; what it was asked for is in `calls`. */
function scripted() {
  const calls: string[] = [];
  const streams = new Map<string, { tell(event: AnalysisEvent): void; lose(error: unknown): void }>();
  const transport: Required<Transport<AnalysisEvent>> = {
    follow: (id, tell, lost) => {
      calls.push(`follow ${id}`);
      streams.set(id, { tell, lose: lost });
      return () => calls.push(`leave ${id}`);
    },
    cancel: vi.fn(async (id: string) => {
      calls.push(`cancel ${id}`);
      return whole('running');
    }),
  };
  const stream = (id: string) => streams.get(id) as { tell(event: AnalysisEvent): void; lose(error: unknown): void };
  return { calls, transport, stream };
}

const progress = (done: number) => ({ done, total: 4, secondsLeft: null });
const whole = (state: string, more: object = {}) =>
  ({ event: 'analysis', data: { state, progress: null, result: null, ...more } }) as AnalysisEvent;
const step = (done: number): AnalysisEvent => ({ event: 'progress', data: progress(done) });
const turned = (state: 'done' | 'cancelled' | 'error', error?: string): AnalysisEvent => ({
  event: 'state',
  data: { state, error },
});

let server: ReturnType<typeof scripted>;
let seen: Status<AnalysisEvent>[];
let heard: (readonly AnalysisEvent[])[];
const machineOf = (transport: Transport<AnalysisEvent>, gatherMs?: number) =>
  new JobMachine<AnalysisEvent>(
    transport,
    (status, events) => {
      seen.push(status);
      heard.push(events);
    },
    gatherMs,
  );
const states = () => seen.map(({ state }) => state).filter((state, k, all) => state !== all[k - 1]);

beforeEach(() => {
  server = scripted();
  seen = [];
  heard = [];
});
afterEach(() => vi.useRealTimers());

describe('long work', () => {
  it('goes from the press through queue and progress to its end', async () => {
    const machine = machineOf(server.transport);
    expect(machine.status.state).toBe('idle');
    await machine.start(async () => 'one');
    server.stream('one').tell(whole('queued'));
    server.stream('one').tell(whole('running', { progress: progress(1) }));
    server.stream('one').tell(step(2));
    expect(machine.status).toMatchObject({ id: 'one', state: 'running', progress: progress(2) });
    server.stream('one').tell(turned('done'));
    expect(states()).toEqual(['starting', 'queued', 'running', 'done']);
    await machine.cancel();
    expect(server.calls).toEqual(['follow one']);
  });

  it('says what the work says went wrong, and apart from it why it was refused', async () => {
    const machine = machineOf(server.transport);
    await machine.start(async () => 'one');
    server.stream('one').tell(turned('error', 'Layer 3 does not fit.'));
    expect(machine.status).toMatchObject({ state: 'error', error: 'Layer 3 does not fit.', failure: null });
    await machine.start(() => Promise.reject(new ApiError('Too many.', 429, 'Wait.')));
    expect(machine.status).toMatchObject({ id: '', state: 'error', error: '', failure: { message: 'Too many.' } });
    expect(wordsOf(machine.status)).toBe('Too many. Wait.');
  });

  it('is cancelled by its name, and where it has none yet as soon as it has one', async () => {
    const machine = machineOf(server.transport);
    let name: (id: string) => void = () => undefined;
    const started = machine.start(() => new Promise((resolve) => (name = resolve)));
    await machine.cancel();
    expect(server.calls).toEqual([]);
    name('one');
    await started;
    expect(server.calls).toEqual(['follow one', 'cancel one']);
    expect(machine.status.state).toBe('starting');
    vi.mocked(server.transport.cancel).mockResolvedValueOnce(whole('cancelled'));
    await machine.cancel();
    expect(machine.status.state).toBe('cancelled');
  });

  it('goes on where it cannot be cancelled, and says why', async () => {
    const machine = machineOf(server.transport);
    await machine.start(async () => 'one');
    server.stream('one').tell(whole('running'));
    vi.mocked(server.transport.cancel).mockRejectedValueOnce(new ApiError('The server does not answer.', 0));
    await machine.cancel();
    expect(machine.status).toMatchObject({ state: 'running', failure: { message: 'The server does not answer.' } });
  });

  it('cancels what it takes the place of, named or not, and hears it no more', async () => {
    const machine = machineOf(server.transport);
    await machine.start(async () => 'one');
    server.stream('one').tell(whole('running'));
    let name: (id: string) => void = () => undefined;
    const second = machine.start(() => new Promise((resolve) => (name = resolve)));
    expect(server.calls).toEqual(['follow one', 'cancel one', 'leave one']);
    await machine.start(async () => 'three');
    name('two');
    await second;
    expect(server.calls.slice(3)).toEqual(['follow three', 'cancel two']);
    server.stream('one').tell(turned('error', 'late'));
    server.stream('one').lose(new ApiError('gone', 404));
    expect(machine.status).toMatchObject({ id: 'three', state: 'starting', error: '', failure: null });
    machine.drop();
    expect(machine.status).toMatchObject({ id: '', state: 'idle' });
    expect(server.calls.slice(5)).toEqual(['cancel three', 'leave three']);
  });

  it('that is opened leaves what was there to itself', () => {
    const machine = machineOf(server.transport);
    machine.open('one');
    server.stream('one').tell(whole('running'));
    machine.open('two', { state: 'starting' });
    expect(server.calls).toEqual(['follow one', 'leave one', 'follow two']);
    expect(machine.status).toMatchObject({ id: 'two', state: 'starting', progress: null });
  });

  it('waits while the connection is lost, and begins again with the whole state', async () => {
    const machine = machineOf(server.transport);
    await machine.start(async () => 'one');
    server.stream('one').tell(whole('running', { progress: progress(1) }));
    server.stream('one').lose(new ApiError('The connection to the server was lost.', 0));
    expect(machine.status).toMatchObject({ state: 'running', failure: { message: expect.stringContaining('lost') } });
    server.stream('one').tell(whole('running', { progress: progress(3) }));
    expect(machine.status).toMatchObject({ state: 'running', progress: progress(3), failure: null });
  });

  it('ends where the server refuses to tell of it, and asks what then where it does not know it', () => {
    const machine = machineOf(server.transport);
    const gone = vi.fn();
    machine.open('one', { state: 'starting', gone });
    server.stream('one').lose(new ApiError('No.', 403));
    expect(machine.status).toMatchObject({ state: 'error', failure: { message: 'No.' } });
    expect(gone).not.toHaveBeenCalled();
    machine.open('two', { gone });
    server.stream('two').lose(new ApiError('There is no analysis two.', 404));
    expect(gone).toHaveBeenCalledTimes(1);
  });

  it('that is its own stream is cancelled by leaving it, and ends when it is lost', async () => {
    const { follow } = server.transport;
    const machine = machineOf({ follow });
    machine.open('', { state: 'queued' });
    await machine.cancel();
    expect(server.calls).toEqual(['follow ', 'leave ']);
    server.stream('').lose(new Error('aborted'));
    expect(machine.status).toMatchObject({ state: 'cancelled', failure: null });
    machine.open('', { state: 'queued' });
    server.stream('').lose(new ApiError('The connection to the server was lost.', 0, 'Generate again.'));
    expect(machine.status.state).toBe('error');
    expect(wordsOf(machine.status)).toBe('The connection to the server was lost. Generate again.');
  });

  it('gathers events that come close together, and drops them with the work', async () => {
    vi.useFakeTimers();
    const machine = machineOf(server.transport, 40);
    await machine.start(async () => 'one');
    const before = seen.length;
    for (const event of [whole('running'), step(1), step(2)]) server.stream('one').tell(event);
    expect(seen).toHaveLength(before);
    vi.advanceTimersByTime(40);
    expect(seen).toHaveLength(before + 1);
    expect(heard.at(-1)).toHaveLength(3);
    expect(machine.status).toMatchObject({ state: 'running', progress: progress(2) });
    server.stream('one').tell(turned('done'));
    machine.drop();
    vi.advanceTimersByTime(80);
    expect(machine.status.state).toBe('idle');
  });
});
