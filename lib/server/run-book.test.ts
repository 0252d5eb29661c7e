import { describe, expect, it } from 'vitest';
import type { RunEvent, RunModel, RunRequest } from '@/lib/api/schemas';
import { ServiceError } from './errors';
import { RunBook } from './run-book';
import { Turns } from './turns';

const request: RunRequest = { models: ['m'], prompt: 'p', target: 't', position: -1 };
const model = (): RunModel => ({
  name: 'm',
  tokens: [],
  position: 0,
  needle: null,
  target: { id: 0, text: '' },
  candidates: [],
  entries: [],
  blocks: [{ kind: 'diff_mamba2', lambda: null, lambdaInit: 0.2, branches: ['diff'], heads: 1, channels: 1 }],
  mapsReady: 0,
  signalReady: false,
  lensReady: false,
});

/** A book whose runs end when the test says so. */
function book({ keptRuns = 10, queueLimit = 3 } = {}) {
  const running = new Map<
    string,
    { finish(outcome: 'done' | 'cancelled'): void; fail(error: Error): void; cancel: Int32Array }
  >();
  const turns = new Turns(queueLimit);
  const waiting = new Set<string>();
  const givenUp: string[] = [];
  const runs = new RunBook(
    (id, _models, cancel) =>
      new Promise((finish, fail) => {
        running.set(id, { finish, fail, cancel });
      }),
    { keptRuns },
    () => null,
    () => undefined,
    turns,
    { waits: (id) => waiting.has(id), givenUp: (id) => givenUp.push(id) },
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const end = async (id: string, outcome: 'done' | 'cancelled' = 'done') => {
    running.get(id)?.finish(outcome);
    await settle();
  };
  return { runs, turns, running, waiting, givenUp, end, settle, add: () => runs.add(request, [model()]).id };
}

const said = {
  entry: 'layer 0',
  target_prob: 0.5,
  target_logprob: -0.69,
  target_log_odds: 0,
  target_rank: 0,
  margin: 1,
  margin_std: 0.2,
  entropy: 1.2,
  snr_vocab: 3,
  snr_candidates: null,
  top_ids: [4],
  top_probs: [0.5],
};

describe('RunBook', () => {
  it('runs one at a time, first come first served, and says who waits', async () => {
    const { runs, turns, running, end, add } = book();
    const [a, b, c] = [add(), add(), add()];
    expect([...running.keys()]).toEqual([a]);
    expect([a, b, c].map((id) => [runs.get(id).state, runs.get(id).queuePosition])).toEqual([
      ['running', 0],
      ['queued', 1],
      ['queued', 2],
    ]);
    expect(turns.load).toBe(3);
    await end(a);
    expect([a, b, c].map((id) => [runs.get(id).state, runs.get(id).queuePosition])).toEqual([
      ['done', 0],
      ['running', 0],
      ['queued', 1],
    ]);
    await end(b);
    await end(c);
    expect(turns.load).toBe(0);
  });

  it('cancels a waiting run at once and asks a running one to stop', async () => {
    const { runs, running, end, add } = book();
    const [a, b] = [add(), add()];
    expect(runs.cancel(b).state).toBe('cancelled');
    expect(runs.cancel(a).state).toBe('running');
    expect(running.get(a)?.cancel[0]).toBe(1);
    await end(a, 'cancelled');
    expect(runs.get(a).state).toBe('cancelled');
    expect(running.has(b)).toBe(false);
    expect(runs.cancel(a).state).toBe('cancelled');
  });

  it('refuses more than the queue holds', () => {
    const { add } = book({ queueLimit: 2 });
    for (let i = 0; i < 3; i++) add();
    expect(add).toThrow(expect.objectContaining({ status: 503 }));
  });

  it('passes on what the worker tells and remembers it', async () => {
    const { runs, end, add } = book();
    const id = add();
    const events: RunEvent[] = [];
    const leave = runs.subscribe(id, (event) => events.push(event));
    runs.update(id, { type: 'layer', model: 0, layer: 0, lambda: 0.5, readout: [said] });
    expect(runs.get(id).models[0].readout).toEqual([said]);
    runs.update(id, { type: 'signal', model: 0, forwardMs: 12 });
    runs.update(id, { type: 'lens', model: 0 });
    await end(id);
    leave();
    expect(events.map(({ event }) => event)).toEqual(['run', 'layer', 'signal', 'lens', 'state']);
    const [{ blocks, mapsReady, signalReady, lensReady, forwardMs }] = runs.get(id).models;
    expect(forwardMs).toBe(12);
    // The signal itself is read from now on.
    expect(runs.get(id).models[0].readout).toBeUndefined();
    expect(events[1]).toMatchObject({ event: 'layer', data: { layer: 0, readout: [said] } });
    expect([blocks[0].lambda, mapsReady, signalReady, lensReady]).toEqual([0.5, 1, true, true]);
    expect(runs.get(id).timing.firstMapMs).not.toBeNull();
  });

  it('sends nothing to those who left', () => {
    const { runs, add } = book();
    const id = add();
    let count = 0;
    const leave = runs.subscribe(id, () => {
      count += 1;
    });
    leave();
    runs.update(id, { type: 'signal', model: 0, forwardMs: 12 });
    expect(count).toBe(1);
  });

  it('marks a failed run and goes on with the next', async () => {
    const { runs, running, settle, add } = book();
    const [a, b] = [add(), add()];
    runs.update(a, { type: 'failure', model: 0, message: 'm: broken' });
    running.get(a)?.fail(new ServiceError(500, 'm: broken'));
    await settle();
    expect(runs.get(a)).toMatchObject({ state: 'error', error: 'm: broken', available: true });
    expect(runs.get(a).models[0].error).toBe('m: broken');
    expect(runs.get(b).state).toBe('running');
  });

  it('knows what is gone after the worker died or made room', async () => {
    const { runs, running, end, settle, add } = book();
    const [a, b, c] = [add(), add(), add()];
    await end(a);
    runs.released([a]);
    expect(runs.get(a).available).toBe(false);
    await end(b);
    runs.lostAll();
    running.get(c)?.fail(new ServiceError(503, 'The computing thread stopped.'));
    await settle();
    expect([b, c].map((id) => runs.get(id).available)).toEqual([false, false]);
    expect(runs.get(c).state).toBe('error');
  });

  it('knows that a run is gone which has left memory and then the disk, in either order', async () => {
    const { runs, end, add } = book();
    const [a, b, c] = [add(), add(), add()];
    for (const id of [a, b, c]) {
      await end(id);
      runs.wrote(id, 100);
      runs.kept(id);
    }
    const states = () => [a, b, c].map((id) => [runs.get(id).available, runs.isKept(id)]);
    runs.released([a]);
    expect(states()).toEqual(Array(3).fill([true, true]));
    runs.unkept([a, b]);
    expect(states()).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
    runs.released([b]);
    expect(runs.get(b).available).toBe(false);
    expect(runs.keptIds()).toEqual([c]);
  });

  it('forgets the oldest finished runs', async () => {
    const { runs, end, add } = book({ keptRuns: 1 });
    const [a, b] = [add(), add()];
    await end(a);
    await end(b);
    const c = add();
    expect(() => runs.get(a)).toThrow(expect.objectContaining({ status: 404 }));
    expect(runs.list().map(({ id }) => id)).toEqual([c, b]);
  });

  it('spares what waits to be kept, and says which of those had to go', async () => {
    const { runs, waiting, givenUp, end, add } = book({ keptRuns: 2 });
    const next = async () => {
      const id = add();
      await end(id);
      return id;
    };
    const first = await next();
    waiting.add(first);
    const [second, third, fourth] = [await next(), await next(), await next()];
    expect([first, second, third, fourth].map((id) => runs.has(id))).toEqual([true, false, true, true]);
    expect(givenUp).toEqual([]);
    for (const id of [third, fourth]) waiting.add(id);
    await next();
    expect(givenUp).toEqual([first]);
    expect(runs.has(first)).toBe(false);
  });

  it('keeps one answer to a question, and the newest of each kind of question', async () => {
    const { runs, end, add } = book();
    const id = add();
    await end(id);
    const answer = (name: string, question: string) =>
      runs.attach(id, { id: name, kind: 'patch', question, createdAt: 0 });
    expect(answer('grid', 'patch.m.0')).toEqual([]);
    expect(answer('first', 'intervene.m.0')).toEqual([]);
    expect(answer('again', 'intervene.m.0')).toEqual(['first']);
    const dropped = Array.from({ length: 9 }, (_, k) => answer(`move ${k}`, `intervene.m.${k + 1}`)).flat();
    expect(dropped).toEqual(['again', 'move 0']);
    expect(runs.get(id).analyses.map((one) => one.id)).toEqual([
      'grid',
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((k) => `move ${k}`),
    ]);
    runs.detach(id, 'grid');
    expect(runs.get(id).analyses).toHaveLength(8);
    expect(runs.attach('unknown', { id: 'x', kind: 'patch', question: 'patch.m.1', createdAt: 0 })).toEqual([]);
  });
});
