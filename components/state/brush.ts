import { create } from 'zustand';
import type { MapWindow } from '../charts/window';

/** The rectangle that is being dragged over a map, in tokens of model A; every map shows it. */
export const useBrush = create<{ readonly brush: MapWindow | null }>()(() => ({ brush: null }));

export const setBrush = (brush: MapWindow | null): void => {
  if (useBrush.getState().brush !== brush) useBrush.setState({ brush });
};
