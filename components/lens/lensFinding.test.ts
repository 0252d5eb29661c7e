import { expect, it } from 'vitest';
import type { LensCell } from '../charts/lensCells';
import { lensFinding } from './lensFinding';

const cell = (topId: number, targetRank = 1): LensCell => ({
  topId,
  topProb: 0.5,
  targetProb: 0.1,
  targetRank,
  entropy: 1,
  kl: 0,
});

it('names the layer from which on the target stays the top token', () => {
  // Embedding, layers 0 to 2, output: the target is on top in layer 0, then not, then again from layer 2 on.
  expect(lensFinding([cell(1), cell(7), cell(1), cell(7), cell(7)], 7)?.from).toBe(2);
  expect(lensFinding([cell(7), cell(7), cell(7), cell(7), cell(7)], 7)?.from).toBe(-1);
  expect(lensFinding([cell(1), cell(1), cell(1), cell(1), cell(7)], 7)?.from).toBe(3);
});

it('names what stands above the target where it is not the answer', () => {
  expect(lensFinding([cell(7), cell(7), cell(1, 4)], 7)).toEqual({ topId: 1, topProb: 0.5, rank: 4 });
});

it('says nothing before the output is known, and nothing of layers that are not', () => {
  expect(lensFinding([cell(7), cell(7), undefined], 7)).toBeUndefined();
  expect(lensFinding([cell(7), undefined, cell(7), cell(7)], 7)?.from).toBe(1);
});
