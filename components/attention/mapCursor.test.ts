import { describe, expect, it } from 'vitest';
import { nextCell } from './mapCursor';

describe('nextCell', () => {
  const at = { destination: 10, source: 4 };

  it('moves by one and by eight', () => {
    expect(nextCell(at, 'ArrowLeft', 1, 20)).toEqual({ destination: 10, source: 3 });
    expect(nextCell(at, 'ArrowDown', 8, 20)).toEqual({ destination: 18, source: 4 });
  });

  it('stays in the causal part of the map', () => {
    expect(nextCell(at, 'ArrowUp', 8, 20)).toEqual({ destination: 2, source: 2 });
    expect(nextCell(at, 'ArrowRight', 8, 20)).toEqual({ destination: 10, source: 10 });
    expect(nextCell(at, 'ArrowDown', 100, 20)).toEqual({ destination: 19, source: 4 });
    expect(nextCell({ destination: 0, source: 0 }, 'ArrowLeft', 1, 20)).toEqual({ destination: 0, source: 0 });
  });

  it('goes to the ends of the row, and leaves other keys alone', () => {
    expect(nextCell(at, 'Home', 1, 20)).toEqual({ destination: 10, source: 0 });
    expect(nextCell(at, 'End', 1, 20)).toEqual({ destination: 10, source: 10 });
    expect(nextCell(at, 'n', 1, 20)).toBeUndefined();
  });
});
