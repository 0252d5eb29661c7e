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
