import { describe, expect, it } from 'vitest';
import {
  causalConv1d,
  s6BlockAttention,
  s6BlockColumns,
  s6BlockStatistics,
  selectiveScan,
  ssdBlockAttention,
  ssdScan,
} from '.';
import { blockFold, convInput, s6AttentionInput, scanInput, ssdInput } from './cases';
import { expectClose } from './test-support';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe('folded implicit attention', () => {
  it('of every S6 channel, applied to the convolution’s input, is the gated scan', () => {
    const [L, E, N, K] = [8, 3, 4, 4];
    const conv = convInput({ batch: 1, L, E, K });
    const c = causalConv1d(conv);
    const scan = scanInput({ batch: 1, L, E, N, D: true, z: true });
    const { delta, A, B, C, D, z } = scan;
    const x = c.map((value) => value * sigmoid(value));
    const expected = selectiveScan({ ...scan, x });
    const gate = Float64Array.from(z as Float64Array, (value) => value * sigmoid(value));
    const fold = { E, K, source: c.map(sigmoid), taps: conv.weight, target: gate, D, weight: conv.x };
    const map = s6BlockAttention({ L, E, N, delta, A, B, C }, fold, 'sum');
    const rows = Float64Array.from({ length: L }, (_, i) => map.slice(i * L, (i + 1) * L).reduce((a, b) => a + b, 0));
    const sums = Float64Array.from({ length: L }, (_, i) =>
      expected.slice(i * E, (i + 1) * E).reduce((a, b) => a + b, 0),
    );
    expectClose(rows, sums, 1e-12, 'row sums');
  });

  it('of every SSD channel, weighted by its input, is the scan', () => {
    const input = ssdInput({ batch: 1, L: 7, H: 4, P: 2, G: 2, N: 3, D: true });
    const { L, H, G, N, P, delta, A, B, C, D, x } = input;
    const E = H * P;
    const ones = new Float64Array(L * E).fill(1);
    const fold = { E, K: 1, source: ones, taps: new Float64Array(E).fill(1), target: ones, D, weight: x };
    const map = ssdBlockAttention({ L, H, G, N, delta, A, B, C }, fold, 'sum');
    const y = ssdScan(input);
    for (let i = 0; i < L; i++) {
      const sum = (values: ArrayLike<number>, from: number, count: number) =>
        Array.from({ length: count }, (_, k) => values[from + k]).reduce((a, b) => a + b, 0);
      expect(sum(map, i * L, L)).toBeCloseTo(sum(y, i * E, E), 10);
    }
  });

  it('has columns and statistics that follow from single channels', () => {
    const [L, E, N, K] = [6, 2, 3, 3];
    const scan = s6AttentionInput(L, E, N);
    const fold = blockFold(L, E, K, E, true);
    const range = { first: 2, count: 2 };
    const columns = s6BlockColumns(scan, fold, range);
    const sum = s6BlockAttention(scan, fold, 'sum');
    const rows = L - range.first;
    for (let r = 0; r < rows; r++)
      for (let k = 0; k < 2; k++)
        expect(columns[r * 2 + k] + columns[(rows + r) * 2 + k]).toBeCloseTo(sum[(2 + r) * L + 2 + k], 12);
    const uniform = {
      ...fold,
      K: 1,
      D: undefined,
      weight: undefined,
      taps: new Float64Array(E).fill(1),
      source: new Float64Array(L * E).fill(1),
      target: new Float64Array(L * E).fill(1),
    };
    const still = { ...scan, A: new Float64Array(E * N), delta: new Float64Array(L * E).fill(1) };
    const flat = { ...still, B: new Float64Array(L * N).fill(1), C: new Float64Array(L * N).fill(1) };
    const [entropy, sink, near, distance, largest] = s6BlockStatistics(flat, uniform, 2);
    const means = (of: (n: number) => number) => [1, 2, 3, 4, 5, 6].reduce((total, n) => total + of(n), 0) / L;
    expect(entropy).toBeCloseTo(means(Math.log), 12);
    expect(sink).toBeCloseTo(
      means((n) => 1 / n),
      12,
    );
    expect(near).toBeCloseTo(
      means((n) => Math.min(2, n) / n),
      12,
    );
    expect(distance).toBeCloseTo(
      means((n) => (n - 1) / 2),
      12,
    );
    expect(largest).toBeCloseTo(N, 12);
  });

  it('takes sums of magnitudes and maxima over channels', () => {
    const [L, E] = [5, 3];
    const scan = s6AttentionInput(L, E, 2);
    const one = blockFold(L, E, 2, 0, true, 4);
    const { taps, source, target, weight } = one;
    const column = (values: ArrayLike<number>, e: number) =>
      Float64Array.from({ length: L }, (_, i) => values[i * E + e]);
    const singles = [0, 1, 2].map((e) => {
      const { N, A, B, C, delta } = scan;
      const alone = { L, E: 1, N, A: A.slice(e * N, (e + 1) * N), B, C, delta: column(delta, e) };
      const fold = {
        E: 1,
        K: 2,
        taps: taps.slice(e * 2, e * 2 + 2),
        source: column(source, e),
        target: column(target, e),
        weight: column(weight as Float64Array, e),
      };
      return s6BlockAttention(alone, fold, 'sum');
    });
    expectClose(
      s6BlockAttention(scan, one, 'sum_abs'),
      singles[0].map((_, k) => singles.reduce((sum, map) => sum + Math.abs(map[k]), 0)),
      1e-12,
      'sum of magnitudes',
    );
    expectClose(
      s6BlockAttention(scan, one, 'max_abs'),
      singles[0].map((_, k) => Math.max(...singles.map((map) => Math.abs(map[k])))),
      1e-12,
      'maximum',
    );
  });
});
