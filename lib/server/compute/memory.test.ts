import { describe, expect, it } from 'vitest';
import { bytesOf, LeastRecentlyUsed } from './memory';

describe('bytesOf', () => {
  it('counts typed arrays however deep', () => {
    const value = {
      a: new Float32Array(2),
      b: [new Int32Array(1), { c: new Map([['x', new Uint8Array(3)]]) }],
      d: 'text',
    };
    expect(bytesOf(value)).toBe(8 + 4 + 3);
  });
});

describe('LeastRecentlyUsed', () => {
  it('forgets what was used longest ago', () => {
    const cache = new LeastRecentlyUsed<Uint8Array>(20);
    cache.set('a', new Uint8Array(8));
    cache.set('b', new Uint8Array(8));
    cache.get('a');
    cache.set('c', new Uint8Array(8));
    expect(['a', 'b', 'c'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true]);
  });

  it('keeps the newest even when it alone is too large, and counts a replaced value once', () => {
    const cache = new LeastRecentlyUsed<Uint8Array>(10);
    cache.set('a', new Uint8Array(100));
    expect(cache.get('a')).toHaveLength(100);
    cache.set('a', new Uint8Array(4));
    cache.set('b', new Uint8Array(6));
    expect([cache.get('a')?.length, cache.get('b')?.length]).toEqual([4, 6]);
  });

  it('drops by key', () => {
    const cache = new LeastRecentlyUsed<Uint8Array>(10);
    cache.set('x/1', new Uint8Array(1));
    cache.set('y/1', new Uint8Array(1));
    cache.deleteWhere((key) => key.startsWith('x/'));
    expect([cache.get('x/1'), cache.get('y/1')?.length]).toEqual([undefined, 1]);
  });
});
