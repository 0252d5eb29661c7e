/** One line of `statescope bench`. */
export type Measurement = {
  readonly what: string;
  readonly shape: string;
  readonly device: string;
  readonly median_ms: number;
  /** The time below which this cannot go, measured in the same process; `floor` says what it is. */
  readonly floor_ms: number;
  /** median / floor */
  readonly ratio: number;
  /** Highest resident memory of the process so far. */
  readonly peak_rss_mb: number;
  readonly floor: string;
};

export interface Benchmark {
  readonly name: string;
  /** One line per question. */
  readonly run: (device: string) => Measurement[];
}

const LONGEST_MS = 4000;
const MOST_RUNS = 25;
const LEAST_RUNS = 3;

/** Median of repeated runs in milliseconds: one to warm up, then up to 25 runs or four seconds, at least three. */
export function medianMs(run: () => void): number {
  run();
  const times: number[] = [];
  const start = performance.now();
  while (times.length < LEAST_RUNS || (times.length < MOST_RUNS && performance.now() - start < LONGEST_MS)) {
    const before = performance.now();
    run();
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const middle = times.length >> 1;
  return times.length % 2 === 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
}

export function measurement(
  line: Pick<Measurement, 'what' | 'shape' | 'device' | 'floor'>,
  median: number,
  floor: number,
): Measurement {
  return {
    ...line,
    median_ms: median,
    floor_ms: floor,
    ratio: median / floor,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  };
}
