import { describe, expect, it } from 'vitest';
import { percent, rowFinding } from './rowFinding';

const MAP = Float32Array.of(1, 0, 0, 0.5, -0.5, 0, 0.1, -0.6, 0.3);

describe('what a row shows first', () => {
  it('is its largest read by size, with its sign and share', () => {
    const found = rowFinding(MAP, 3, 2);
    expect(found?.source).toBe(1);
    expect(found?.value).toBeCloseTo(-0.6);
    expect(found?.share).toBeCloseTo(0.6);
    expect(found).not.toHaveProperty('needle');
  });

  it('and how much of it is the needle, as far as the row goes', () => {
    expect(rowFinding(MAP, 3, 2, [0, 1])?.needle).toBeCloseTo(0.7);
    expect(rowFinding(MAP, 3, 1, [1, 2])?.needle).toBeCloseTo(0.5);
    expect(rowFinding(MAP, 3, 0, [1, 2])).not.toHaveProperty('needle');
  });

  it('is nothing where nothing is read', () => {
    expect(rowFinding(new Float32Array(4), 2, 1)).toBeUndefined();
  });
});

describe('percent', () => {
  it('never rounds something to nothing, or almost all to all', () => {
    expect([0, 0.001, 0.146, 0.5, 0.9999, 1].map(percent)).toEqual(['0 %', '< 1 %', '15 %', '50 %', '> 99 %', '100 %']);
  });
});
