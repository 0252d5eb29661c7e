import { describe, expect, it } from 'vitest';
import { marginals } from './marginals';
import { bars, joined } from './profile';

describe('joined', () => {
  it('keeps the strongest of what one bar stands for, with its sign', () => {
    expect([...joined([1, -3, 2, 0.5, 0, -1], 0, 6, 3)]).toEqual([-3, 2, -1]);
    expect([...joined([1, -3, 2, 9], 1, 3, 10)]).toEqual([-3, 2]);
  });
});

describe('bars', () => {
  it('grow up and down from the middle where signed', () => {
    const { path, zero } = bars([1, -1, 0], 30, 52, 1, true);
    expect(zero).toBe(27);
    expect(path).toMatchInlineSnapshot(`"M0.50,27V4.0h9.00V27zM10.50,27V50.0h9.00V27z"`);
  });

  it('stand on the lower edge where not, and stop at the peak', () => {
    expect(bars([5, 0.5], 20, 26, 1, false).path).toMatchInlineSnapshot(
      `"M0.50,24V4.0h9.00V24zM10.50,24V14.0h9.00V24z"`,
    );
  });

  it('lie along a column too', () => {
    expect(bars([0.5], 10, 26, 1, false, false).path).toMatchInlineSnapshot(`"M0,0.50H10.0v9.00H0z"`);
  });
});

describe('marginals', () => {
  it('are means of magnitudes over the causal cells that are shown', () => {
    const map = Float32Array.of(1, 0, 0, -2, 4, 0, 3, -6, 8);
    expect(marginals(map, 3, { row0: 0, row1: 3, column0: 0, column1: 3 })).toEqual({
      rows: Float32Array.of(1, 3, 17 / 3),
      columns: Float32Array.of(2, 5, 8),
    });
    expect(marginals(map, 3, { row0: 1, row1: 2, column0: 1, column1: 3 })).toEqual({
      rows: Float32Array.of(4),
      columns: Float32Array.of(4, 0),
    });
  });
});
