import { type MapWindow, sameWindow } from '../charts/window';
import { select, useSelection } from './selection';

/** Shows parts of the maps without the page, while they are zoomed or moved. */
export interface Stage {
  /** Shows a part; false where it cannot now. */
  show(window: MapWindow | null): boolean;
  /** The view rests: what the page itself draws takes over. */
  rest(): void;
}

/** A view that has not moved for so long rests. */
const SETTLE_MS = 150;

let stage: Stage | undefined;
/** What the stage shows; undefined at rest. */
let moving: { readonly window: MapWindow | null } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Hands over the stage; returns how to take it back. */
export function setStage(next: Stage): () => void {
  stage = next;
  return () => {
    if (stage !== next) return;
    stage = undefined;
    if (moving) showWindow(moving.window);
  };
}

/** The part of the maps on the screen, null for all. The selection follows as soon as the view rests. */
export const shownWindow = (): MapWindow | null => (moving ?? useSelection.getState()).window;

/** Shows a part of the maps at once and for good. */
export function showWindow(window: MapWindow | null): void {
  clearTimeout(timer);
  const wasMoving = moving !== undefined;
  moving = undefined;
  if (!sameWindow(useSelection.getState().window, window)) select({ window });
  if (wasMoving) stage?.rest();
}

/** Shows a part of the maps as one step of a zoom or a move, which more may follow. */
export function moveTo(window: MapWindow | null): void {
  if (sameWindow(shownWindow(), window)) return;
  if (!stage?.show(window)) {
    showWindow(window);
    return;
  }
  moving = { window };
  clearTimeout(timer);
  timer = setTimeout(() => showWindow(window), SETTLE_MS);
}

// What else changes the selection, such as a link, ends a motion.
useSelection.subscribe(({ window }, before) => {
  if (moving && window !== before.window) showWindow(window);
});
