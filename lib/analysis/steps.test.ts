import { describe, expect, it } from 'vitest';
import { drain, drainAsync, through } from './steps';

/** Counts to three, and writes down how it ended. */
function* counting(log: string[]): Generator<number, string, void> {
  try {
    for (let k = 1; k <= 3; k++) yield k;
    log.push('through');
    return 'done';
  } finally {
    log.push('closed');
  }
}

describe('drain', () => {
  it('runs to the end and returns the result', () => {
    const log: string[] = [];
    expect(drain(counting(log))).toBe('done');
    expect(log).toEqual(['through', 'closed']);
  });
});

describe('drainAsync', () => {
  it('waits after every step', async () => {
    const seen: number[] = [];
    const result = await drainAsync(counting([]), async (step) => {
      await Promise.resolve();
      seen.push(step);
    });
    expect(result).toBe('done');
    expect(seen).toEqual([1, 2, 3]);
  });

  it('closes the generator when a step is refused', async () => {
    const log: string[] = [];
    const refused = drainAsync(counting(log), (step) => {
      if (step === 2) throw new Error('cancelled');
    });
    await expect(refused).rejects.toThrow('cancelled');
    expect(log).toEqual(['closed']);
  });
});

describe('through', () => {
  it('changes every step and keeps the result', () => {
    const steps = through(counting([]), (step) => step * 10);
    expect([steps.next().value, steps.next().value, steps.next().value]).toEqual([10, 20, 30]);
    expect(steps.next()).toEqual({ done: true, value: 'done' });
  });

  it('closes the inner generator when it is left early', () => {
    const log: string[] = [];
    for (const step of through(counting(log), (value) => value)) if (step === 2) break;
    expect(log).toEqual(['closed']);
  });
});
