/**
 * Shrinks an L × L map to s × s (s = min(size, L)); each cell keeps the value of largest magnitude, with its
 * sign, so that a single strong read is never averaged away. Cost: one pass over the map.
 */
export function thumbnail(map: Float32Array, L: number, size: number): { data: Float32Array; size: number } {
  const s = Math.min(size, L);
  const data = new Float32Array(s * s);
  for (let i = 0; i < L; i++) {
    const row = Math.floor((i * s) / L) * s;
    for (let j = 0; j <= i; j++) {
      const cell = row + Math.floor((j * s) / L);
      const value = map[i * L + j];
      if (Math.abs(value) > Math.abs(data[cell])) data[cell] = value;
    }
  }
  return { data, size: s };
}
