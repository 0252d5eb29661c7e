import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Forecast } from './estimate';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Forecast', () => {
  it('says nothing before anything is done or known', () => {
    expect(new Forecast(10).secondsLeft).toBeNull();
    expect(new Forecast(10, 1).secondsLeft).toBeCloseTo(10);
  });

  it('goes by what was done, and does not rise where a step takes a little longer', () => {
    const forecast = new Forecast(10);
    vi.advanceTimersByTime(1000);
    forecast.add(1);
    expect(forecast.secondsLeft).toBeCloseTo(9);
    vi.advanceTimersByTime(400);
    expect(forecast.secondsLeft).toBeCloseTo(9);
    vi.advanceTimersByTime(8600);
    forecast.add(8);
    expect(forecast.secondsLeft).toBeCloseTo(10 / 9);
    expect(forecast.share).toBeCloseTo(0.9);
    forecast.add(2);
    expect([forecast.secondsLeft, forecast.share]).toEqual([0, 1]);
  });

  it('says more once, where the machine has clearly become slower, and never that nothing is left', () => {
    // Ten layers that should take 1 s each; from the fourth on they take 8.
    const forecast = new Forecast(10, 1);
    const said: number[] = [];
    for (let layer = 0; layer < 10; layer++) {
      for (let tenth = 0; tenth < 10; tenth++) {
        vi.advanceTimersByTime(layer < 3 ? 100 : 800);
        said.push(forecast.secondsLeft as number);
      }
      forecast.add(1);
    }
    const rises = said.filter((left, k) => k > 0 && left > said[k - 1]);
    expect(rises.length).toBeGreaterThan(0);
    expect(rises.length).toBeLessThan(6);
    for (const [k, left] of said.entries())
      if (k > 0 && left > said[k - 1]) expect(left).toBeGreaterThan(1.3 * said[k - 1] + 1);
    // 24 s before the end, with three layers to go.
    expect(said[70]).toBeGreaterThan(8);
    expect(Math.min(...said)).toBeGreaterThan(1);
    expect(forecast.secondsLeft).toBe(0);
  });

  it('does not take a quick beginning for the pace of the rest', () => {
    const forecast = new Forecast(100, 10);
    vi.advanceTimersByTime(1000);
    // Weights that were in memory: 30 s of work in one.
    forecast.add(30);
    expect(forecast.secondsLeft).toBeCloseTo((1 - (1 - 11 / 40) * 0.3) * 70);
  });

  it('has done nothing where there is nothing to do', () => {
    expect(new Forecast(0).share).toBe(0);
  });
});
