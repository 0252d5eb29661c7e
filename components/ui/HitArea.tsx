'use client';
import type { CSSProperties, MouseEvent } from 'react';

/**
 * The surface of a figure that takes the pointer; coordinates are its own. It has no keyboard of its own: every
 * figure offers the same through its cursor or through the page's keys.
 */
export function HitArea(props: {
  style: CSSProperties;
  testId?: string;
  onPoint: (x: number, y: number) => void;
  onLeave: () => void;
  onPick: (x: number, y: number) => void;
}) {
  const { style, testId, onPoint, onLeave, onPick } = props;
  const at = (event: MouseEvent<HTMLElement>): [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the figure around it has the role and the keys.
    // biome-ignore lint/a11y/useKeyWithClickEvents: the figure around it has the role and the keys.
    <div
      className="hit"
      data-export="surface"
      style={style}
      data-testid={testId}
      onPointerMove={(event) => onPoint(...at(event))}
      onPointerLeave={onLeave}
      onClick={(event) => onPick(...at(event))}
    />
  );
}
