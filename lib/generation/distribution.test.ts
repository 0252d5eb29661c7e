import { describe, expect, it } from 'vitest';
import { nextToken } from './distribution';

describe('nextToken', () => {
  const probabilities = [0.1, 0.4, 0.3, 0.2];
  // A constant added to all logits changes nothing, and large ones must not overflow.
  const logits = Float32Array.from(probabilities, (p) => Math.log(p) + 300);

  it('gives the softmax of the logits, its entropy, and the best tokens in order', () => {
    const found = nextToken(logits, 2, 3);
    expect(found.probability).toBeCloseTo(0.3, 4);
    expect(found.rank).toBe(2);
    expect(found.alternatives.map(({ id }) => id)).toEqual([1, 2, 3]);
    for (const { id, probability } of found.alternatives) expect(probability).toBeCloseTo(probabilities[id], 4);
    expect(found.entropy).toBeCloseTo(-probabilities.reduce((sum, p) => sum + p * Math.log(p), 0), 4);
  });

  it('ranks equal logits by their id and gives no more tokens than there are', () => {
    const found = nextToken(new Float32Array(3), 2, 10);
    expect(found.rank).toBe(3);
    expect(found.alternatives).toHaveLength(3);
    expect(found.entropy).toBeCloseTo(Math.log(3), 6);
  });
});
