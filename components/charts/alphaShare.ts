/**
 * Share of what row i of an S6 map reads, by magnitude of α, that comes from a span [start, end) of sources:
 * Σ_span |α_ij| / Σ_{j ≤ i} |α_ij|; NaN where the row is zero.
 * @param map [L,L], target by source
 */
export function alphaShare(map: Float32Array, L: number, i: number, [start, end]: readonly [number, number]): number {
  let [inside, all] = [0, 0];
  for (let j = 0; j <= i; j++) {
    const magnitude = Math.abs(map[i * L + j]);
    all += magnitude;
    if (j >= start && j < end) inside += magnitude;
  }
  return inside / all;
}
