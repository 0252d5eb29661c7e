import { describe, expect, it } from 'vitest';
import { sayAll, takeAll, writtenTo } from '../state/linked';
import { GENERATION } from './link';
import { type GenerationStore, INITIAL_CHOICE, useGeneration } from './state';

const first = useGeneration.getInitialState();
const generationOf = (search: string): GenerationStore => ({
  ...first,
  ...takeAll(GENERATION, Object.fromEntries(new URLSearchParams(search)), first),
});

const drawn = {
  choice: { maxNewTokens: 50, temperature: 0.8, topK: 40, topP: null, seed: 7 },
  text: 'Mary & John',
  textEnd: { start: 4, ids: [9, 2] },
};

describe('a generation in a link', () => {
  it('comes back as it went, and leaves the rest of the address alone', () => {
    const made = { ...first, ...drawn, continuations: [1] as never };
    const link = writtenTo('http://host/?a=one&layer=2', sayAll(GENERATION, made));
    expect(link).toContain('a=one&layer=2');
    expect(generationOf(new URL(link).search)).toEqual({ ...first, ...drawn, wanted: true });
  });

  it('says nothing of what has its first value', () => {
    expect(writtenTo('http://host/?a=one', sayAll(GENERATION, first))).toBe('http://host/?a=one');
    expect(generationOf('?a=one')).toEqual(first);
  });

  it('does not take numbers that the fields would refuse', () => {
    const { choice } = generationOf('?tokens=5000&temperature=-1&topk=3&topp=2&seed=-4');
    expect(choice).toEqual(INITIAL_CHOICE);
  });
});
