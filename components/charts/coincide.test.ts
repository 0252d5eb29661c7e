import { describe, expect, it } from 'vitest';
import { coincidences, linePieces } from './coincide';

const y = (value: number) => 100 * (1 - value);

describe('two lines on one axis', () => {
  const a = [0, 0.5, 1, 1, null, 0.2];
  const b = [0.4, 0.49, 1, 1, 1, Number.NaN];
  const on = coincidences(a, b, y);

  it('coincide where one would hide the other', () => {
    expect(on).toEqual([false, true, true, true, false, false]);
  });

  it('are taken apart step by step, and the pieces meet', () => {
    const { apart, together } = linePieces(b, on);
    const layers = (pieces: typeof apart) => pieces.map((piece) => piece.map(({ layer }) => layer));
    expect(layers(apart)).toEqual([
      [-1, 0],
      [2, 3],
    ]);
    expect(layers(together)).toEqual([[0, 1, 2]]);
  });

  it('keep a point that stands alone, and break at gaps', () => {
    const { apart, together } = linePieces([1, null, 1, 1], [true, true, true, true]);
    expect(apart).toEqual([[{ layer: -1, value: 1 }]]);
    expect(together).toHaveLength(1);
  });
});
