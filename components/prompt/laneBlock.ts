/** Where tokens stand in the list that scrolls, in pixels, and what of it is in view. */
export interface LanePlaces {
  readonly left: readonly number[];
  readonly top: readonly number[];
  readonly width: readonly number[];
  readonly scrollTop: number;
  readonly viewHeight: number;
  readonly listWidth: number;
  readonly listHeight: number;
}

/**
 * The part of the list that is drawn: what is in view and as much again around it, in steps of half a view, so that
 * scrolling shows no gap and seldom draws.
 */
export function laneBlock(places: Pick<LanePlaces, 'scrollTop' | 'viewHeight' | 'listHeight'>): {
  readonly top: number;
  readonly height: number;
} {
  const { scrollTop, viewHeight, listHeight } = places;
  const height = Math.min(listHeight, 2.5 * viewHeight);
  const step = Math.max(1, viewHeight / 2);
  const wanted = (Math.floor(scrollTop / step) - 1) * step;
  return { top: Math.max(0, Math.min(listHeight - height, wanted)), height };
}
