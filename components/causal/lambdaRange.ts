import { focusWindow, type LayerAxis } from '../charts/layerAxis';

/** The upper end of the λ sliders: well above the model's own values. */
export const lambdaTop = (own: readonly (number | null)[]): number =>
  Math.max(2, Math.ceil(2 * Math.max(0, ...own.map((value) => value ?? 0))) / 2 + 0.5);

/** A switch or slider needs this width to be hit. */
const LEAST = 26;

/** Layers whose controls fit, and where they stand: on the layer axis if all do, else a window around the selection. */
export function controlPlaces(
  axis: LayerAxis,
  selected: number,
): { readonly layers: readonly number[]; readonly x: (layer: number) => number; readonly onAxis: boolean } {
  const room = Math.max(1, Math.floor((axis.width - axis.gutter) / LEAST));
  const onAxis = axis.pitch >= LEAST;
  const { first, count } = onAxis ? { first: 0, count: axis.layers } : focusWindow(axis.layers, selected, room);
  const pitch = (axis.width - axis.gutter) / Math.max(1, count);
  return {
    onAxis,
    layers: Array.from({ length: count }, (_, k) => first + k),
    x: onAxis ? axis.x : (layer) => axis.gutter + (layer - first + 0.5) * pitch,
  };
}
