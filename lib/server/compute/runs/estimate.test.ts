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

  it('goes by what was done, and never rises where a step takes longer', () => {
    const forecast = new Forecast(10);
    vi.advanceTimersByTime(1000);
    forecast.add(1);
    expect(forecast.secondsLeft).toBeCloseTo(9);
    vi.advanceTimersByTime(9000);
    expect(forecast.secondsLeft).toBeCloseTo(9);
    forecast.add(8);
    expect(forecast.secondsLeft).toBeCloseTo(10 / 9);
    expect(forecast.share).toBeCloseTo(0.9);
    forecast.add(2);
    expect([forecast.secondsLeft, forecast.share]).toEqual([0, 1]);
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
