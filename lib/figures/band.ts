import type { Maybe } from './numbers';

/** An interval at one column of an axis. */
export interface Interval {
  readonly low: Maybe;
  readonly high: Maybe;
}

const known = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

/**
 * SVG path of a band between lower and upper ends, column by column; absent columns break it. A single column becomes an
 * upright line.
 */
export function bandPath(
  intervals: readonly (Interval | undefined)[],
  x: (column: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  const point = (column: number, value: number) => `${x(column).toFixed(1)},${y(value).toFixed(1)}`;
  for (let from = 0; from < intervals.length; from++) {
    const run: { column: number; low: number; high: number }[] = [];
    for (let column = from; column < intervals.length; column++) {
      const { low, high } = intervals[column] ?? {};
      if (!known(low) || !known(high)) break;
      run.push({ column, low, high });
    }
    if (run.length === 0) continue;
    const up = run.map(({ column, high }) => point(column, high));
    const down = run.map(({ column, low }) => point(column, low)).reverse();
    path += `M${[...up, ...down].join('L')}Z`;
    from += run.length;
  }
  return path;
}
