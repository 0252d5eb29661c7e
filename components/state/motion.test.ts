import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MapWindow } from '../charts/window';
import { moveTo, type Stage, setStage, shownWindow, showWindow } from './motion';
import { INITIAL_SELECTION, select, useSelection } from './selection';

const part = (from: number): MapWindow => ({ rows: [from, from + 8], columns: [0, 8] });
const chosen = () => useSelection.getState().window;

class Recorder implements Stage {
  readonly seen: (MapWindow | null | 'rest')[] = [];
  able = true;
  show(window: MapWindow | null): boolean {
    if (this.able) this.seen.push(window);
    return this.able;
  }
  rest(): void {
    this.seen.push('rest');
  }
}

let stage: Recorder;
let takeBack: () => void;
beforeEach(() => {
  vi.useFakeTimers();
  useSelection.setState(INITIAL_SELECTION, true);
  stage = new Recorder();
  takeBack = setStage(stage);
});
afterEach(() => {
  showWindow(null);
  takeBack();
  vi.useRealTimers();
});

describe('a view that moves', () => {
  it('is shown on the stage step by step, and selected once when it rests', () => {
    const selected: unknown[] = [];
    const stop = useSelection.subscribe(({ window }) => selected.push(window));
    for (const from of [1, 2, 3]) {
      moveTo(part(from));
      vi.advanceTimersByTime(100);
      expect(shownWindow()).toEqual(part(from));
      expect(chosen()).toBeNull();
    }
    vi.advanceTimersByTime(100);
    stop();
    expect(selected).toEqual([part(3)]);
    expect(stage.seen).toEqual([part(1), part(2), part(3), 'rest']);
  });

  it('selects nothing when it comes back to where it was', () => {
    select({ window: part(1) });
    const before = useSelection.getState();
    moveTo(part(2));
    moveTo(part(1));
    vi.runAllTimers();
    expect(useSelection.getState()).toBe(before);
    expect(stage.seen.at(-1)).toBe('rest');
  });

  it('does not move where the step changes nothing', () => {
    moveTo(null);
    expect(stage.seen).toEqual([]);
  });

  it('is selected at once where the stage cannot show it, or there is none', () => {
    stage.able = false;
    moveTo(part(1));
    expect(chosen()).toEqual(part(1));
    takeBack();
    moveTo(part(2));
    expect(chosen()).toEqual(part(2));
  });

  it('ends with a window that is chosen in the middle', () => {
    moveTo(part(1));
    showWindow(null);
    expect(stage.seen).toEqual([part(1), 'rest']);
    moveTo(part(2));
    select({ window: part(5) });
    vi.runAllTimers();
    expect(chosen()).toEqual(part(5));
    expect(shownWindow()).toEqual(part(5));
  });

  it('is kept when the stage goes', () => {
    moveTo(part(1));
    takeBack();
    expect(chosen()).toEqual(part(1));
  });
});
