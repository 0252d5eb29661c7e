const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

/** Whole units and what is left in the next smaller one: `1 min 30 s`, `2 h`. */
function twoUnits(whole: number, rest: number, [unit, smaller]: readonly [string, string]): string {
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller}`;
}

/**
 * A time as people write it: `0.42 ms`, `840 ms`, `1.84 s`, `1 min 30 s`, `2 h 5 min`, `3 d 4 h`; never an exponent.
 * The one place that writes times, on the page and on the command line.
 */
export function formatDuration(seconds: number): string {
  const ms = 1000 * seconds;
  if (ms > 0 && ms < 0.01) return '< 0.01 ms';
  if (Math.round(ms) < 1000) return `${ms < 10 ? Number(ms.toPrecision(2)) : Math.round(ms)} ms`;
  if (Math.round(seconds) < MINUTE) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return twoUnits(Math.floor(whole / MINUTE), whole % MINUTE, ['min', 's']);
  const minutes = Math.round(seconds / MINUTE);
  if (minutes < DAY / MINUTE) return twoUnits(Math.floor(minutes / 60), minutes % 60, ['h', 'min']);
  const hours = Math.round(seconds / HOUR);
  return twoUnits(Math.floor(hours / 24), hours % 24, ['d', 'h']);
}

/** To one or two digits, or to the step in which people count such times. */
function rough(seconds: number): number {
  if (seconds < MINUTE) return Number(seconds.toPrecision(seconds < 10 ? 1 : 2));
  const step = seconds < 10 * MINUTE ? 10 : seconds < 2 * HOUR ? MINUTE : 10 * MINUTE;
  return step * Math.round(seconds / step);
}

/** A time that is only expected: `~40 ms`, `~3 s`, `~25 s`, `~1 min 30 s`. */
export const formatForecast = (seconds: number): string =>
  `~${formatDuration(seconds < 0.1 ? Math.max(0.001, Math.round(1000 * seconds) / 1000) : rough(seconds))}`;
