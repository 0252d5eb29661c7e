import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Keeper } from './keeper';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A disk that is full until the test makes room, and what was written to it in order. */
function disk() {
  const written: string[] = [];
  const state = { full: false, tries: 0 };
  const write = (name: string) => async () => {
    state.tries += 1;
    if (state.full) throw new Error('The disk is full.');
    written.push(name);
    return true;
  };
  return { written, state, write };
}

describe('Keeper', () => {
  it('writes one thing after the other, in the order in which they came', async () => {
    const keeper = new Keeper();
    const { written, write } = disk();
    let busy = 0;
    for (const name of ['a', 'b', 'c'])
      keeper.add(name, async () => {
        busy += 1;
        expect(busy).toBe(1);
        await Promise.resolve();
        busy -= 1;
        return write(name)();
      });
    await keeper.settled();
    expect(written).toEqual(['a', 'b', 'c']);
    expect(keeper.names).toEqual([]);
  });

  it('tries again with longer and longer pauses what could not be written, says why once, and loses nothing', async () => {
    const keeper = new Keeper();
    const { written, state, write } = disk();
    state.full = true;
    for (const name of ['a', 'b']) keeper.add(name, write(name));
    await keeper.settled();
    expect(keeper.trouble).toBe('The disk is full.');
    const before = state.tries;
    await vi.advanceTimersByTimeAsync(10_000);
    const soon = state.tries - before;
    await vi.advanceTimersByTimeAsync(600_000);
    const later = state.tries - before - soon;
    // Pauses of 1, 2, 4, … s, at most a minute, two things each time.
    expect(soon).toBeLessThanOrEqual(2 * 4);
    expect(later).toBeLessThanOrEqual(2 * 14);
    expect(later).toBeGreaterThanOrEqual(2 * 9);
    expect(console.error).toHaveBeenCalledTimes(1);
    expect(keeper.names).toEqual(['a', 'b']);
    state.full = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toEqual(['a', 'b']);
    expect(keeper.trouble).toBeUndefined();
  });

  it('tries at once when something has changed', async () => {
    const keeper = new Keeper();
    const { written, state, write } = disk();
    state.full = true;
    keeper.add('a', write('a'));
    await vi.advanceTimersByTimeAsync(300_000);
    state.full = false;
    keeper.wake();
    await keeper.settled();
    expect(written).toEqual(['a']);
  });

  it('lets others pass what fails, but not what waits for it', async () => {
    const keeper = new Keeper();
    const { written, write } = disk();
    let broken = true;
    keeper.add('run', async () => {
      if (broken) throw new Error('Too large.');
      return write('run')();
    });
    keeper.add('its analysis', async () => !keeper.has('run') && write('its analysis')());
    keeper.add('another', write('another'));
    await keeper.settled();
    expect(written).toEqual(['another']);
    broken = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toEqual(['another', 'run', 'its analysis']);
  });

  it('writes once more what came again while it was being written', async () => {
    const keeper = new Keeper();
    const { written, write } = disk();
    keeper.add('run', async () => {
      keeper.add('run', write('with its new name'));
      return write('with its old name')();
    });
    await keeper.settled();
    expect(written).toEqual(['with its old name', 'with its new name']);
  });

  it('tries nothing while it is known to be of no use, nor after its end', async () => {
    let there = false;
    const keeper = new Keeper(() => there);
    const { state, written, write } = disk();
    keeper.add('a', write('a'));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(state.tries).toBe(0);
    there = true;
    keeper.wake();
    await keeper.settled();
    expect(written).toEqual(['a']);
    keeper.close();
    keeper.add('b', write('b'));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(written).toEqual(['a']);
  });
});
