import { describe, expect, it } from 'vitest';
import { sampler } from '.';

const logits = Float32Array.of(0, 3, 1, 2);
const drawn = (choose: (logits: Float32Array) => number, count = 4000) =>
  Array.from({ length: count }, () => choose(logits));

describe('choosing a token', () => {
  it('takes the best without a temperature', () => {
    expect(sampler({})(logits)).toBe(1);
  });

  it('stays among the best k and follows their probabilities', () => {
    const ids = drawn(sampler({ temperature: 1, topK: 2, seed: 5 }));
    expect(new Set(ids)).toEqual(new Set([1, 3]));
    const share = ids.filter((id) => id === 1).length / ids.length;
    expect(Math.abs(share - 1 / (1 + Math.exp(-1)))).toBeLessThan(0.03);
  });

  it('keeps the fewest tokens that reach p', () => {
    // Probabilities: 1 → 0.644, 3 → 0.237, 2 → 0.087, 0 → 0.032.
    expect(new Set(drawn(sampler({ temperature: 1, topP: 0.6 })))).toEqual(new Set([1]));
    expect(new Set(drawn(sampler({ temperature: 1, topP: 0.65 })))).toEqual(new Set([1, 3]));
    expect(new Set(drawn(sampler({ temperature: 1, topP: 0.9 })))).toEqual(new Set([1, 3, 2]));
    expect(new Set(drawn(sampler({ temperature: 1, topP: 1 })))).toEqual(new Set([1, 3, 2, 0]));
    // Among the best two, the first alone has 0.731.
    expect(new Set(drawn(sampler({ temperature: 1, topK: 2, topP: 0.7 })))).toEqual(new Set([1]));
    // A higher temperature flattens: 0.455, 0.276, 0.167, 0.102.
    expect(new Set(drawn(sampler({ temperature: 2, topP: 0.6 })))).toEqual(new Set([1, 3]));
  });

  it('draws the same for the same seed and row, and something else otherwise', () => {
    const first = drawn(sampler({ temperature: 1, seed: 5 }, 1), 40);
    expect(drawn(sampler({ temperature: 1, seed: 5 }, 1), 40)).toEqual(first);
    expect(drawn(sampler({ temperature: 1, seed: 6 }, 1), 40)).not.toEqual(first);
    expect(drawn(sampler({ temperature: 1, seed: 5 }, 2), 40)).not.toEqual(first);
  });

  it('refuses limits without a temperature or out of range', () => {
    expect(() => sampler({ topP: 0.5 })).toThrow(/need a temperature/);
    expect(() => sampler({ temperature: 1, topP: 1.5 })).toThrow(/at most 1/);
  });
});
