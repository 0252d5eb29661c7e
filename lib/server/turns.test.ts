import { describe, expect, it, vi } from 'vitest';
import { Turns } from './turns';

describe('a place that is reserved while something is prepared', () => {
  /** Never ends. */
  const job = () => ({ start: () => new Promise<void>(() => undefined), moved: () => undefined });

  it('is nobody else’s: of fifty at once as many are prepared as may wait and run, the others are refused first', async () => {
    const turns = new Turns(3);
    const prepare = vi.fn(() => new Promise((resolve) => setTimeout(resolve, 5)));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => turns.reserve(prepare, () => turns.add(job()))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    for (const outcome of outcomes.slice(4)) expect(outcome).toMatchObject({ reason: { status: 503 } });
    expect(prepare).toHaveBeenCalledTimes(4);
    expect(turns.load).toBe(4);
    await expect(turns.reserve(prepare, () => turns.add(job()))).rejects.toMatchObject({ status: 503 });
  });

  it('is free again where the preparation fails', async () => {
    const turns = new Turns(0);
    const fail = () => Promise.reject(new Error('no such model'));
    for (let k = 0; k < 3; k++) await expect(turns.reserve(fail, () => undefined)).rejects.toThrow('no such model');
    await turns.reserve(
      () => Promise.resolve(),
      () => turns.add(job()),
    );
    expect(turns.load).toBe(1);
  });
});
