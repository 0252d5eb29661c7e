/** What the inspector says about one source and destination of a map [L, L]. */
export interface PairFacts {
  readonly value: number;
  /** |value| over the row's Σ|value|. */
  readonly share: number;
  /** 1 for the row's largest magnitude. */
  readonly rank: number;
}

export function pairFacts(map: Float32Array, L: number, destination: number, source: number): PairFacts {
  const row = map.subarray(destination * L, destination * L + destination + 1);
  const value = row[source];
  let sum = 0;
  let rank = 1;
  for (const other of row) {
    sum += Math.abs(other);
    if (Math.abs(other) > Math.abs(value)) rank++;
  }
  return { value, share: sum > 0 ? Math.abs(value) / sum : Number.NaN, rank };
}

/** The sources that position `destination` reads most, strongest first. */
export function topSources(map: Float32Array, L: number, destination: number, count: number): number[] {
  const row = map.subarray(destination * L, destination * L + destination + 1);
  return Array.from(row, (_, source) => source)
    .sort((a, b) => Math.abs(row[b]) - Math.abs(row[a]) || a - b)
    .slice(0, count);
}

/** Largest |value| of a row's causal part. */
export function rowPeak(map: Float32Array, L: number, destination: number): number {
  let peak = 0;
  for (let j = 0; j <= destination; j++) peak = Math.max(peak, Math.abs(map[destination * L + j]));
  return peak;
}

/** SVG path of the row profile: one bar a source, from the zero line, on a scale that ends at ±peak (or 0 … peak). */
export function profilePath(
  map: Float32Array,
  L: number,
  destination: number,
  cell: number,
  height: number,
  peak: number,
  signed: boolean,
): { path: string; zero: number } {
  const zero = signed ? (height + 2) / 2 : height - 2;
  const reach = signed ? (height - 6) / 2 : height - 6;
  const width = Math.max(cell - 1, 0.6);
  let path = '';
  for (let j = 0; j <= destination; j++) {
    const amount = peak > 0 ? Math.max(-1, Math.min(1, map[destination * L + j] / peak)) : 0;
    const top = zero - amount * reach;
    path += `M${(j * cell + (cell - width) / 2).toFixed(2)},${zero}V${top.toFixed(2)}h${width.toFixed(2)}V${zero}z`;
  }
  return { path, zero };
}
