import { describe, expect, it } from 'vitest';
import { rowAt, shuffledPlace } from './order';
import { contentHash, splitByHash } from './splits';

describe('splitByHash', () => {
  it('holds out the shares that are asked for, whatever the contents look like', () => {
    const shares = { validation: 0.1, test: 0.2 };
    const found = { train: 0, validation: 0, test: 0 };
    for (let i = 0; i < 20_000; i++) found[splitByHash(contentHash([i >> 8, i & 255]), shares)]++;
    expect(found.validation / 20_000).toBeCloseTo(0.1, 1.7);
    expect(found.test / 20_000).toBeCloseTo(0.2, 1.7);
  });

  it('holds out nothing where nothing is asked for', () => {
    for (let i = 0; i < 1000; i++) expect(splitByHash(contentHash([i]), { validation: 0, test: 0 })).toBe('train');
  });
});

describe('shuffledPlace', () => {
  it.each([1, 2, 3, 5, 64, 65, 1000, 1025])('puts each of %i numbers in a place of its own', (count) => {
    const places = Array.from({ length: count }, (_, index) => shuffledPlace(index, count, 7));
    expect(new Set(places).size).toBe(count);
    expect(Math.min(...places)).toBe(0);
    expect(Math.max(...places)).toBe(count - 1);
  });

  it('leaves no order: neighbours are as far apart as chance puts them', () => {
    const count = 10_000;
    for (const key of [0, 1, 99]) {
      const places = Array.from({ length: count }, (_, index) => shuffledPlace(index, count, key));
      const steps = places.slice(1).map((place, i) => Math.abs(place - places[i]));
      const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
      expect(Math.abs(mean / (count / 3) - 1)).toBeLessThan(0.05);
      const fixed = places.filter((place, index) => place === index).length;
      expect(fixed).toBeLessThan(10);
    }
  });

  it('reads all rows in each epoch, in another order', () => {
    const epoch = (e: number) => Array.from({ length: 50 }, (_, i) => rowAt(e * 50 + i, 50, 3));
    expect([...epoch(0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...epoch(5)].sort((a, b) => a - b)).toEqual([...epoch(0)].sort((a, b) => a - b));
    expect(epoch(1)).not.toEqual(epoch(0));
  });
});
