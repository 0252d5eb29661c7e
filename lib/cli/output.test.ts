import { describe, expect, it } from 'vitest';
import { table } from './output';
import { chooser } from './sampling';

describe('a table', () => {
  it('aligns numbers to the right and texts to the left, and shortens only numbers', () => {
    const text = table([
      { name: 'a', value: 0.123456789, shape: [1, 2] },
      { name: 'longer', value: 12, shape: [] },
      { name: 'tiny', value: 1.23456e-12, shape: null },
    ]);
    expect(text).toBe(
      ['name       value  shape', 'a         0.1235  [1, 2]', 'longer        12  []', 'tiny    1.23e-12  –', ''].join(
        '\n',
      ),
    );
  });
});

describe('choosing a token', () => {
  const logits = Float32Array.of(0, 3, 1, 2);
  it('takes the best without a temperature', () => {
    expect(chooser({ seed: 0 })(logits)).toBe(1);
  });
  it('stays among the best k and follows their probabilities', () => {
    const choose = chooser({ temperature: 1, topK: 2, seed: 5 });
    const drawn = Array.from({ length: 4000 }, () => choose(logits));
    expect(new Set(drawn)).toEqual(new Set([1, 3]));
    const share = drawn.filter((id) => id === 1).length / drawn.length;
    expect(Math.abs(share - 1 / (1 + Math.exp(-1)))).toBeLessThan(0.03);
  });
});
