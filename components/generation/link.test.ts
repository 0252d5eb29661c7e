import { describe, expect, it } from 'vitest';
import { generationOf, withGeneration } from './link';
import { INITIAL_CHOICE } from './state';

const drawn = {
  choice: { maxNewTokens: 50, temperature: 0.8, topK: 40, topP: null, seed: 7 },
  text: 'Mary & John',
  textEnd: { start: 4, ids: [9, 2] },
};

describe('a generation in a link', () => {
  it('comes back as it went, and leaves the rest of the address alone', () => {
    const link = withGeneration('http://host/?a=one&layer=2', { ...drawn, continuations: [1] });
    expect(link).toContain('a=one&layer=2');
    expect(generationOf(new URL(link).search)).toEqual({ ...drawn, generated: true });
  });

  it('says nothing of what has its first value', () => {
    const first = { choice: INITIAL_CHOICE, text: null, textEnd: null };
    expect(withGeneration('http://host/?a=one', { ...first, continuations: [] })).toBe('http://host/?a=one');
    expect(generationOf('?a=one')).toEqual({ ...first, generated: false });
  });

  it('does not take numbers that the fields would refuse', () => {
    const { choice } = generationOf('?tokens=5000&temperature=-1&topk=3&topp=2&seed=-4');
    expect(choice).toEqual(INITIAL_CHOICE);
  });
});
