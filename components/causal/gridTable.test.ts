import { expect, it } from 'vitest';
import type { View } from '../data/view';
import type { GridValues } from './grid';
import { gridTable } from './results';

const words = ['Mary', 'left', '.', 'John', 'stayed', '.'];
const model = { slot: 'A', tokens: words.map((text) => ({ text })), layers: 1 };
const view = { layers: 1, position: 5, tokens: model.tokens, models: [model] } as unknown as View;

const bySentence: GridValues = Object.assign((_layer: number, token: number) => (token < 3 ? 1 : 2), {
  spanOf: (token: number) => (token < 3 ? [0, 3] : [3, 6]) as [number, number],
});

it('has one row for tokens that were tested together', () => {
  const { rows } = gridTable('of sentences', view, [{ name: 'effect', values: [bySentence] }]);
  expect(rows).toEqual([
    ['layer 0', '0–2', 'Mary … .', 1],
    ['layer 0', '3–5', 'John … .', 2],
  ]);
});

it('has a row a token where another column tells tokens apart', () => {
  const each: GridValues = (_layer, token) => token;
  const columns = [bySentence, each].map((values) => ({ name: 'effect', values: [values] }));
  expect(gridTable('of both', view, columns).rows).toHaveLength(6);
});
