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
  readonly run: (device: string) => Measurement[] | Promise<Measurement[]>;
}

const BUDGET_MS = 4000;
const MOST_RUNS = 25;

/** Median of repeated runs in milliseconds: one to warm up, then up to 25 more within four seconds; of a slower one, the first. */
export function medianMs(run: () => void, budgetMs = BUDGET_MS): number {
  const warmUp = timeMs(run);
  const times: number[] = [];
  for (let spent = warmUp; times.length < MOST_RUNS && spent + warmUp / 2 < budgetMs; ) {
    const time = timeMs(run);
    times.push(time);
    spent += time;
  }
  return times.length > 0 ? median(times) : warmUp;
}

/**
 * Medians of several runs that take turns, so that whatever else the machine does meets them alike: one round to warm up,
 * then up to 25 more within four seconds for each.
 */
export const mediansMs = (...runs: readonly (() => void)[]): number[] => mediansOf(timeMs, runs);

/** The same of the time that all cores together spent on a run: what else the machine does hardly counts. */
export const cpuMediansMs = (...runs: readonly (() => void)[]): number[] => mediansOf(cpuMs, runs);

function mediansOf(timed: (run: () => void) => number, runs: readonly (() => void)[]): number[] {
  const round = () => runs.map(timed);
  const rounds = [round()];
  const total = (times: readonly number[]) => times.reduce((sum, time) => sum + time, 0);
  let spent = total(rounds[0]);
  while (rounds.length <= MOST_RUNS && spent < runs.length * BUDGET_MS) {
    rounds.push(round());
    spent += total(rounds[rounds.length - 1]);
  }
  const counted = rounds.length > 1 ? rounds.slice(1) : rounds;
  return runs.map((_, i) => median(counted.map((times) => times[i])));
}

/** As `medianMs`, of runs that end later. */
export async function medianMsAsync(run: () => Promise<void>): Promise<number> {
  const timed = async () => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  const warmUp = await timed();
  const times: number[] = [];
  for (let spent = warmUp; times.length < MOST_RUNS && spent + warmUp / 2 < BUDGET_MS; ) {
    times.push(await timed());
    spent += times[times.length - 1];
  }
  return times.length > 0 ? median(times) : warmUp;
}

function timeMs(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function cpuMs(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function measurement(
  line: Pick<Measurement, 'what' | 'shape' | 'device' | 'floor'>,
  medianOfRuns: number,
  floor: number,
): Measurement {
  return {
    ...line,
    median_ms: medianOfRuns,
    floor_ms: floor,
    ratio: medianOfRuns / floor,
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  };
}
