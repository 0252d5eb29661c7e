'use client';
import { type KeyboardEvent, type ReactNode, useState } from 'react';

/**
 * A figure as one stop of the Tab key: a slider over what it shows (points, tokens, rows), which arrows go through and
 * which says each.
 */
export function SteppedFigure(props: {
  label: string;
  count: number;
  /** Where the arrows begin; default the first. */
  start?: number;
  textOf: (item: number) => string;
  /** The item that an arrow came to; undefined once the figure is left. */
  onStep?: (item: number | undefined) => void;
  testId: string;
  /** @param item where an arrow came to; undefined before, and once the figure is left */
  children: (item: number | undefined) => ReactNode;
}) {
  const { label, count, start = 0, textOf, onStep, testId, children } = props;
  const [item, setItem] = useState<number>();
  const now = Math.min(count - 1, item ?? start);
  const step = (to: number | undefined) => {
    setItem(to);
    onStep?.(to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 8 : 1;
    const places: Readonly<Record<string, number>> = {
      ArrowLeft: now - by,
      ArrowUp: now - by,
      ArrowRight: now + by,
      ArrowDown: now + by,
      Home: 0,
      End: count - 1,
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    step(Math.min(count - 1, Math.max(0, places[event.key])));
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={count - 1}
      aria-valuenow={now}
      aria-valuetext={textOf(now)}
      data-arrows
      data-testid={testId}
      onKeyDown={onKeyDown}
      onBlur={() => item !== undefined && step(undefined)}
    >
      {children(item === undefined ? undefined : now)}
    </div>
  );
}
