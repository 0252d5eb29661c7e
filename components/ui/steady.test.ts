import { describe, expect, it } from 'vitest';
import { sameList } from './steady';

describe('sameList', () => {
  const data = new Float32Array(2);

  it('looks into plain objects', () => {
    expect(sameList([{ data, ready: true }], [{ data, ready: true }])).toBe(true);
    expect(sameList([{ data, ready: true }], [{ data, ready: false }])).toBe(false);
    expect(sameList([{ data }], [{ data, error: 'x' }])).toBe(false);
    expect(sameList([{ inner: { data } }], [{ inner: { data } }])).toBe(true);
  });

  it('takes everything else by identity', () => {
    expect(sameList([data, undefined, 3], [data, undefined, 3])).toBe(true);
    expect(sameList([data], [new Float32Array(2)])).toBe(false);
    expect(sameList([1], [1, 2])).toBe(false);
  });
});
