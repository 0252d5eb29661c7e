import { describe, expect, it } from 'vitest';
import type { Run, RunModel } from '@/lib/api/schemas';
import { INITIAL_SELECTION } from '../state/selection';
import { compareView } from './compareView';
import { missing, obstacle, readChoice, tellingModels, writeChoice } from './pair';

const model = (name: string, words: string[]): RunModel => {
  let start = 0;
  const tokens = words.map((text, id) => {
    const token = { id, text, start, end: start + text.length };
    start = token.end + 1;
    return token;
  });
  return {
    name,
    tokens,
    position: words.length - 1,
    needle: [0, 1],
    target: { id: 1, text: words[0] },
    candidates: [],
    entries: [],
    blocks: [],
    mapsReady: 1,
    signalReady: true,
    lensReady: true,
  };
};

const run = (id: string, prompt: string, ...names: string[]): Run => ({
  id,
  state: 'done',
  queuePosition: 0,
  progress: null,
  device: null,
  available: true,
  analyses: [],
  request: { models: names, prompt, position: -1, target: prompt.split(' ')[0] },
  models: names.map((name) => model(name, prompt.split(' '))),
  timing: { createdAt: 0, startedAt: 0, finishedAt: 1, firstMapMs: 1 },
});

const [one, two, long] = [
  run('r1', 'Mary went home', 'x', 'y'),
  run('r2', 'John went away', 'x', 'y'),
  run('r3', 'Mary went home at night', 'x'),
];

describe('two runs', () => {
  it('are named in the address', () => {
    expect(readChoice(writeChoice({ run: '3f2a91c0', model: 1 }))).toEqual({ run: '3f2a91c0', model: 1 });
    expect(readChoice('3f2a91c0')).toEqual({ run: '3f2a91c0' });
    expect(readChoice('../secrets.2')).toBeUndefined();
  });

  it('open with one thing changed: the prompt, else the model', () => {
    expect(tellingModels(one, two)).toEqual([0, 0]);
    expect(tellingModels(one, one)).toEqual([0, 1]);
    expect(tellingModels(one, run('r4', 'other words here', 'z'))).toEqual([0, 0]);
  });

  it('say why their maps cannot be compared', () => {
    expect(obstacle(one, one.models[0], two, two.models[0])).toBeUndefined();
    expect(obstacle(one, one.models[0], long, long.models[0])).toMatch(/3 tokens.*5/);
    // The same prompt may have other tokens in another model.
    expect(obstacle(one, one.models[0], one, model('z', ['Mary went', 'home']))).toBeUndefined();
    expect(missing({ ...one, available: false }, one.models[0])).toMatch(/removed/);
    expect(missing(one, { ...one.models[0], mapsReady: 0 })).toMatch(/no finished layer/);
  });
});

describe('compareView', () => {
  it('takes models, targets and read-outs from their own runs, place for place', () => {
    const view = compareView(INITIAL_SELECTION, [one, 1], [two, 0]);
    expect(view.models.map(({ slot, name, run, index, target }) => [slot, name, run.id, index, target])).toEqual([
      ['A', 'y', 'r1', 1, 'Mary'],
      ['B', 'x', 'r2', 0, 'John'],
    ]);
    expect(view.models[1].fromA).toBeUndefined();
    expect(view.models.map(({ position, needle }) => [position, needle])).toEqual([
      [2, [0, 0]],
      [2, [0, 0]],
    ]);
    expect(compareView({ ...INITIAL_SELECTION, position: 1 }, [one, 0], [two, 0]).models[1].position).toBe(1);
  });

  it('matches the same prompt by its characters', () => {
    const other = { ...one, id: 'r5', models: [model('z', ['Mary went', 'home'])] };
    const view = compareView(INITIAL_SELECTION, [one, 0], [other, 0]);
    expect([...(view.models[1].fromA ?? [])]).toEqual([-1, -1, 1]);
  });
});
