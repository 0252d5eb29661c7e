import { describe, expect, it } from 'vitest';
import { rowChoices, rowRange } from './lensRows';

describe('rowRange', () => {
  it('shows eight positions, always inside the prompt', () => {
    expect(rowRange('last', 52, 51, [16, 21])).toEqual([44, 51]);
    expect(rowRange('needle', 52, 51, [16, 21])).toEqual([15, 22]);
    expect(rowRange('needle', 52, 51, [0, 2])).toEqual([0, 7]);
    expect(rowRange('position', 52, 51, undefined)).toEqual([44, 51]);
    expect(rowRange('position', 52, 20, undefined)).toEqual([16, 23]);
  });

  it('has pages that cover every position once', () => {
    const { pages } = rowChoices(52, 51, undefined);
    const covered = pages.flatMap(({ value }) => {
      const [from, to] = rowRange(value, 52, 51, undefined);
      return Array.from({ length: to - from + 1 }, (_, k) => from + k);
    });
    expect(covered).toEqual(Array.from({ length: 52 }, (_, k) => k));
  });

  it('copes with short prompts and pages that are gone', () => {
    expect(rowRange('last', 3, 2, undefined)).toEqual([0, 2]);
    expect(rowRange('page-9', 12, 2, undefined)).toEqual([8, 11]);
  });
});
