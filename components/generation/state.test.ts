import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GeneratedToken, GenerationEvent } from '@/lib/api/generation';
import { client } from '../data/client';
import { requestOf } from '../state/request';
import { INITIAL_SELECTION, select, useSelection } from '../state/selection';
import {
  analyse,
  type Continuation,
  generate,
  isWorking,
  partingPlace,
  setText,
  stopGenerating,
  useGeneration,
} from './state';

const token = (index: number, text: string, piece = ` ${text}`): GeneratedToken => ({
  index,
  id: index,
  text,
  piece,
  as_target: { id: index, text },
  probability: 0.5,
  rank: 1,
  entropy: 1,
  alternatives: [],
});

const continuation = (...texts: string[]): Continuation => ({
  slot: 'A',
  model: 'm',
  prompt: 'Mary went home .',
  end: null,
  state: 'done',
  queuePosition: 0,
  tokens: texts.map((text, k) => token(k, text)),
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  useSelection.setState(INITIAL_SELECTION);
  setText(null);
});

/** Answers every call with these events, then never ends until it is aborted. */
const answer = (events: GenerationEvent[]) =>
  vi.spyOn(client, 'generate').mockImplementation((_request, onEvent, signal) => {
    for (const event of events) onEvent(event);
    return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
  });

describe('generate', () => {
  it('collects the tokens of both models, and a stop keeps them', () => {
    const asked = answer([
      { event: 'state', data: { state: 'running', queuePosition: 0 } },
      { event: 'token', data: token(0, 'x') },
    ]);
    select({ modelA: 'a', modelB: 'b', prompt: 'p' });
    generate();
    const { continuations } = useGeneration.getState();
    expect(continuations.map(({ slot, model, state, tokens }) => [slot, model, state, tokens.length])).toEqual([
      ['A', 'a', 'running', 1],
      ['B', 'b', 'running', 1],
    ]);
    expect(asked.mock.calls[0][0]).toMatchObject({ model: 'a', prompt: 'p' });
    expect(asked.mock.calls[0][0]).not.toHaveProperty('temperature');
    expect(isWorking(continuations)).toBe(true);
    stopGenerating();
    const after = useGeneration.getState().continuations;
    expect(after.map(({ state, tokens }) => [state, tokens.length])).toEqual([
      ['cancelled', 1],
      ['cancelled', 1],
    ]);
    expect(asked.mock.calls[0][2]?.aborted).toBe(true);
  });
});

describe('analyse', () => {
  it('takes the tokens before the token as the prompt and the token as its target, by their ids', () => {
    vi.stubGlobal('window', { scrollTo: () => undefined });
    select({ prompt: 'Mary went home .', needle: [5, 14], position: 2, lock: { destination: 1, source: 0 } });
    analyse(continuation('Where', 'is', 'Mary'), 2);
    expect(useSelection.getState()).toMatchObject({
      prompt: 'Mary went home . Where is',
      target: 'Mary',
      needle: [5, 14],
      position: -1,
      lock: null,
      continuation: { start: 16, ids: [0, 1] },
      targetId: 2,
    });
    expect(useGeneration.getState().text).toBe('Mary went home .');
    expect(requestOf({ ...useSelection.getState(), modelA: 'm' })).toMatchObject({
      continuation: { start: 16, ids: [0, 1] },
      target_id: 2,
    });
    select({ prompt: 'Mary' });
    expect(useSelection.getState()).toMatchObject({ continuation: null, targetId: 2 });
    select({ target: 'home' });
    expect(useSelection.getState().targetId).toBeNull();
  });

  it('goes on from an end that was generated itself', () => {
    vi.stubGlobal('window', { scrollTo: () => undefined });
    const end = { start: 4, ids: [8, 9] };
    analyse({ ...continuation('Where', 'is'), end }, 1);
    expect(useSelection.getState().continuation).toEqual({ start: 4, ids: [8, 9, 0] });
    expect(useGeneration.getState().textEnd).toEqual(end);
  });

  it('leaves the page alone for a token that cannot be a target', () => {
    select({ prompt: 'Mary' });
    analyse({ ...continuation(), tokens: [token(0, '\n')] }, 0);
    expect(useSelection.getState().prompt).toBe('Mary');
  });
});

describe('partingPlace', () => {
  it('is the first token that differs', () => {
    expect(partingPlace([continuation('a', 'b', 'c'), continuation('a', 'x')])).toBe(1);
    expect(partingPlace([continuation('a', 'b'), continuation('a')])).toBeUndefined();
    expect(partingPlace([continuation('a')])).toBeUndefined();
  });
});
