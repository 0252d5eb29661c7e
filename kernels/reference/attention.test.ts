import { describe, expect, it } from 'vitest';
import { s6Attention, selectiveScan, ssdAttention, ssdScan } from '.';
import { s6AttentionInput, scanInput, ssdAttentionInput, ssdInput } from './cases';
import { expectClose } from './test-support';

describe('implicit attention', () => {
  it.each([
    [1, 1, 1],
    [7, 3, 16],
    [12, 2, 5],
  ])('of each S6 channel, applied to x, is the scan (L=%i, E=%i, N=%i)', (L, E, N) => {
    const input = scanInput({ batch: 1, L, E, N });
    const y = selectiveScan(input);
    for (let e = 0; e < E; e++) {
      const map = s6Attention(s6AttentionInput(L, E, N), { channel: e });
      const applied = apply(map, L, (j) => input.x[j * E + e]);
      expectClose(
        applied,
        Float64Array.from({ length: L }, (_, i) => y[i * E + e]),
        1e-12,
        `channel ${e}`,
      );
    }
  });

  it.each([
    [1, 1, 1, 1, 1],
    [8, 4, 3, 2, 5],
  ])('of each SSD head, applied to x, is the scan (L=%i, H=%i, P=%i, G=%i, N=%i)', (L, H, P, G, N) => {
    const input = ssdInput({ batch: 1, L, H, P, G, N });
    const y = ssdScan(input);
    for (let h = 0; h < H; h++) {
      const { delta, A, B, C } = input;
      const map = ssdAttention({ L, H, G, N, delta, A, B, C }, { head: h });
      for (let p = 0; p < P; p++) {
        const applied = apply(map, L, (j) => input.x[(j * H + h) * P + p]);
        expectClose(
          applied,
          Float64Array.from({ length: L }, (_, i) => y[(i * H + h) * P + p]),
          1e-12,
          `head ${h}`,
        );
      }
    }
  });

  it('reduces channels and heads by signed mean and by mean of magnitudes', () => {
    const [L, E, N] = [6, 3, 4];
    const s6 = s6AttentionInput(L, E, N);
    const channels = [0, 1, 2].map((channel) => s6Attention(s6, { channel }));
    expectClose(
      s6Attention(s6, 'mean'),
      meanOf(channels, (v) => v),
      1e-12,
      'S6 mean',
    );
    expectClose(s6Attention(s6, 'mean_abs'), meanOf(channels, Math.abs), 1e-12, 'S6 mean of magnitudes');
    const ssd = ssdAttentionInput(L, 4, 2, N);
    const heads = [0, 1, 2, 3].map((head) => ssdAttention(ssd, { head }));
    expectClose(
      ssdAttention(ssd, 'mean'),
      meanOf(heads, (v) => v),
      1e-12,
      'SSD mean',
    );
    expectClose(ssdAttention(ssd, 'mean_abs'), meanOf(heads, Math.abs), 1e-12, 'SSD mean of magnitudes');
    expect(channels.some((map) => map.some((v) => v < 0))).toBe(true);
  });
});

function apply(map: Float64Array, L: number, x: (j: number) => number): Float64Array {
  return Float64Array.from({ length: L }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < L; j++) sum += map[i * L + j] * x(j);
    return sum;
  });
}

function meanOf(maps: readonly Float64Array[], each: (value: number) => number): Float64Array {
  return maps[0].map((_, i) => maps.reduce((sum, map) => sum + each(map[i]), 0) / maps.length);
}
