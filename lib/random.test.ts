import { expect, it } from 'vitest';
import { Random } from './random';

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.word());
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

it('gives the same stream for the same seed and another for another', () => {
  expect(draw(new Random(7), 5)).toEqual(draw(new Random(7), 5));
  expect(draw(new Random(7), 5)).not.toEqual(draw(new Random(8), 5));
});

it('goes on from a stored state, also through JSON', () => {
  const random = new Random(3);
  draw(random, 11);
  const stored = JSON.parse(JSON.stringify(random.state));
  expect(draw(new Random(stored), 5)).toEqual(draw(random, 5));
});

it('draws at a place what no other place draws, without what was drawn before', () => {
  const places = [0, 1, 2, 1000].flatMap((seed) =>
    [0, 1, 2].flatMap((stream) => Array.from({ length: 40 }, (_, index) => [seed, stream, index] as const)),
  );
  const first = places.map((place) => Random.at(...place).uniform());
  expect(new Set(first).size).toBe(places.length);
  expect(Math.abs(mean(first) - 0.5)).toBeLessThan(0.03);
  expect(Random.at(1, 2, 3).word()).toBe(Random.at(1, 2, 3).word());
});

it('is uniform, normal and weighted as it says', () => {
  const random = new Random(1);
  const uniforms = Array.from({ length: 20_000 }, () => random.uniform());
  expect(mean(uniforms)).toBeCloseTo(0.5, 2);
  expect(uniforms.every((value) => value >= 0 && value < 1)).toBe(true);
  const normals = Array.from({ length: 20_000 }, () => random.normal());
  expect(Math.abs(mean(normals))).toBeLessThan(0.03);
  expect(Math.abs(mean(normals.map((value) => value ** 2)) - 1)).toBeLessThan(0.05);
  const kinds = Array.from({ length: 20_000 }, () => random.weighted({ often: 3, seldom: 1, never: 0 }));
  expect(kinds.filter((kind) => kind === 'often').length / 20_000).toBeCloseTo(0.75, 1);
  expect(kinds).not.toContain('never');
});

it('draws integers of the whole range and samples without repetition', () => {
  const random = new Random(2);
  const integers = new Set(Array.from({ length: 500 }, () => random.integer(2, 5)));
  expect([...integers].sort()).toEqual([2, 3, 4, 5]);
  const sample = random.sample(['a', 'b', 'c', 'd'], 4);
  expect([...sample].sort()).toEqual(['a', 'b', 'c', 'd']);
});
