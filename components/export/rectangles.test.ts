import { describe, expect, it } from 'vitest';
import { rectanglesOf } from './rectangles';

describe('rectanglesOf', () => {
  it('covers every cell once, in its colour, and joins neighbours in a row', () => {
    const [red, blue] = [
      [255, 0, 0, 255],
      [0, 0, 9, 255],
    ];
    const pixels = [red, red, blue, blue, red, red].flat();
    expect([...rectanglesOf(pixels, 3, 2)]).toEqual([
      { x: 0, y: 0, length: 2, fill: '#ff0000' },
      { x: 2, y: 0, length: 1, fill: '#000009' },
      { x: 0, y: 1, length: 1, fill: '#000009' },
      { x: 1, y: 1, length: 2, fill: '#ff0000' },
    ]);
  });
});
