import { describe, expect, it } from 'vitest';
import { formatDuration, formatForecast } from './durations';

describe('formatDuration', () => {
  it('writes times in the units that people use', () => {
    const short = [0, 1e-9, 0.000421, 0.0042, 0.84, 0.9996, 1, 1.844, 25.42, 59.4];
    expect(short.map(formatDuration).join(', ')).toBe(
      '0 ms, < 0.01 ms, 0.42 ms, 4.2 ms, 840 ms, 1 s, 1 s, 1.84 s, 25.4 s, 59.4 s',
    );
    expect([59.96, 60, 90, 6905, 7500, 86_399].map(formatDuration).join(', ')).toBe(
      '1 min, 1 min, 1 min 30 s, 1 h 55 min, 2 h 5 min, 1 d',
    );
    expect([100_000, 1e9].map(formatDuration)).toEqual(['1 d 4 h', '11574 d 2 h']);
  });

  it('never writes an exponent', () => {
    for (let exponent = -12; exponent <= 12; exponent++)
      expect(formatDuration(3.3 * 10 ** exponent)).toMatch(/^(< )?[\d.]+ (ms|s|min|h|d)( \d+ (s|min|h))?$/);
  });
});

describe('formatForecast', () => {
  it('says no more digits than it knows', () => {
    expect([0.0002, 0.042, 0.99, 3.4, 25.4, 88, 93, 240, 6905, 20_000].map(formatForecast).join(', ')).toBe(
      '~1 ms, ~42 ms, ~1 s, ~3 s, ~25 s, ~1 min 30 s, ~1 min 30 s, ~4 min, ~1 h 55 min, ~5 h 30 min',
    );
  });
});
