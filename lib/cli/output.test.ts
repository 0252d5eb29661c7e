import { describe, expect, it } from 'vitest';
import { table } from './output';

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

  it('shows milliseconds as times', () => {
    const text = table([
      { key: 'a', ms: 6905e3, floor_ms: 0.42 },
      { key: 'b', ms: 1840, floor_ms: null },
    ]);
    expect(text.split('\n').slice(0, 3)).toEqual([
      'key  time        floor time',
      'a    1 h 55 min  0.42 ms',
      'b    1.84 s      –',
    ]);
  });
});
