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

/** The sources that position `destination` reads most, strongest first. Cost: one pass over the row. */
export function topSources(map: Float32Array, L: number, destination: number, count: number): number[] {
  const row = map.subarray(destination * L, destination * L + destination + 1);
  const best: number[] = [];
  for (let source = 0; source < row.length; source++) {
    const magnitude = Math.abs(row[source]);
    let place = best.length;
    while (place > 0 && magnitude > Math.abs(row[best[place - 1]])) place--;
    if (place >= count) continue;
    best.splice(place, 0, source);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Largest |value| of a row's causal part. */
export function rowPeak(map: Float32Array, L: number, destination: number): number {
  let peak = 0;
  for (let j = 0; j <= destination; j++) peak = Math.max(peak, Math.abs(map[destination * L + j]));
  return peak;
}
