import { create } from 'zustand';
import type { TokenClass } from '@/lib/vocabulary';
import type { ModelSlot } from './selection';

export type HoverOrigin = 'chip' | 'curve' | 'strip' | 'map' | 'lens' | 'causal' | 'allocation';

/** What is under the pointer or the cell cursor; token indices are those of model A. Never in the URL. */
export interface Hover {
  readonly origin?: HoverOrigin;
  readonly layer?: number;
  readonly destination?: number;
  readonly source?: number;
  readonly model?: ModelSlot;
  /** All tokens of a class at once. */
  readonly tokenClass?: TokenClass;
}

const NOTHING: Hover = {};

export const useHover = create<Hover>()(() => NOTHING);

let pending: Hover | undefined;

/** Takes effect with the next frame, so that a fast pointer costs at most one redraw of the overlays a frame. */
export function hover(next: Hover): void {
  const scheduled = pending !== undefined;
  pending = next;
  if (scheduled) return;
  requestAnimationFrame(() => {
    const latest = pending ?? NOTHING;
    pending = undefined;
    useHover.setState(latest, true);
  });
}

export const clearHover = (): void => hover(NOTHING);
