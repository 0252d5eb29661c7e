import { describe, expect, it } from 'vitest';
import { defaultPair } from './pair';

const prompt = 'Sandra saw the garden. Mary went to the garden. John left the office. Where is Mary? Answer:';
const needle = [23, 47] as const;
const candidates = ['garden', 'office', 'kitchen'];

describe('the corrupted prompt', () => {
  it('has another answer inside the needle, and one that the prompt does not name', () => {
    expect(defaultPair({ prompt, target: ' garden', candidates, needle })).toEqual({
      corrupted: prompt.replace('to the garden', 'to the kitchen'),
      foil: 'kitchen',
    });
  });

  it('takes the last place of the target without a needle, and any other candidate where all are named', () => {
    const { corrupted, foil } = defaultPair({ prompt, target: 'garden', candidates: ['garden', 'office'] });
    expect(foil).toBe('office');
    expect(corrupted).toBe(prompt.replace('to the garden', 'to the office'));
  });

  it('changes whole words only', () => {
    const asked = { prompt: 'gardens, garden', target: 'garden', candidates: ['garden', 'hut'] };
    expect(defaultPair(asked).corrupted).toBe('gardens, hut');
  });

  it('is the prompt itself where there is no other answer, or the needle does not name the target', () => {
    expect(defaultPair({ prompt, target: 'garden' })).toEqual({ corrupted: prompt, foil: '' });
    expect(defaultPair({ prompt, target: 'garden', candidates, needle: [0, 10] }).corrupted).toBe(prompt);
  });
});
