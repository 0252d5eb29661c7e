/**
 * The one layer axis: emb, 0 … n − 1, out. Curve, thumbnails, λ and lens all stand on these x positions.
 * Layers are numbered −1 (embedding), 0 … n − 1 (blocks), n (the model's own output).
 */
export interface LayerAxis {
  readonly width: number;
  readonly gutter: number;
  /** Width of one column. */
  readonly pitch: number;
  /** Number of blocks, n. */
  readonly layers: number;
  readonly narrow: boolean;
  /** Centre of a layer's column. */
  readonly x: (layer: number) => number;
  /** The layer under a horizontal position, clamped to the axis. */
  readonly at: (x: number) => number;
}

export function layerAxis(width: number, layers: number, narrow: boolean): LayerAxis {
  const gutter = narrow ? 40 : 80;
  const pitch = Math.max(1, (width - gutter) / (layers + 2));
  return {
    width,
    gutter,
    pitch,
    layers,
    narrow,
    x: (layer) => gutter + (layer + 1.5) * pitch,
    at: (x) => Math.min(layers, Math.max(-1, Math.floor((x - gutter) / pitch) - 1)),
  };
}

/** "embedding", "layer 12", "output". */
export const layerName = (layer: number, layers: number): string =>
  layer < 0 ? 'embedding' : layer >= layers ? 'output' : `layer ${layer}`;

/** "emb", "12", "out"; one letter for the embedding where there is no room. */
export const layerTick = (layer: number, { layers, narrow }: LayerAxis): string =>
  layer < 0 ? (narrow ? 'E' : 'emb') : layer >= layers ? 'out' : String(layer);

/**
 * Layers that get a tick label. Labels give way to the end labels, and all to the selected layer, whose own label is
 * either a pill (`withPill`, not in the list) or an ordinary, emphasised tick.
 * @param ends whether embedding and output are named: not where a figure is of blocks only
 */
export function axisTicks(axis: LayerAxis, selected: number, withPill: boolean, ends = true): number[] {
  const { layers, pitch, narrow } = axis;
  const least = narrow ? 22 : 30;
  const step = [1, 2, 5, 10, 20, 50].find((candidate) => candidate * pitch >= least) ?? 100;
  const clear = (end: number) => end === selected || Math.abs(end - selected) * pitch >= 22;
  const ticks = ends ? [-1, layers].filter(clear) : [];
  for (let layer = 0; layer < layers; layer += step) {
    const clearOfEnds = !ends || ((layer + 1) * pitch >= 20 && (layers - layer) * pitch >= 22);
    const clearOfSelected = Math.abs(layer - selected) * pitch >= 22;
    if (clearOfEnds && clearOfSelected && layer !== selected) ticks.push(layer);
  }
  if (!withPill && !ticks.includes(selected)) ticks.push(selected);
  return ticks.sort((a, b) => a - b);
}

/** First layer of the window of at most `size` thumbnails that is centred on the selection. */
export function focusWindow(layers: number, selected: number, size: number): { first: number; count: number } {
  const count = Math.min(layers, size);
  const first = Math.min(Math.max(0, selected - Math.floor(count / 2)), layers - count);
  return { first, count };
}

/** The column of a lens entry on an axis of `layers` blocks: the embedding first, the model's output last. */
export const columnOf = (entry: string, layers: number): number =>
  entry === 'embedding' ? 0 : entry === 'final' ? layers + 1 : Number(entry.slice('layer '.length)) + 1;

/**
 * Values per lens entry on an axis of `layers` blocks: absent where a model has no such block, where the lens says
 * nothing, and where nothing was computed, as the output of a run that was cancelled.
 */
export function onAxis<T>(entries: readonly string[], values: readonly T[], layers: number): (T | undefined)[] {
  const out: (T | undefined)[] = new Array(layers + 2).fill(undefined);
  entries.forEach((entry, k) => {
    out[columnOf(entry, layers)] = values[k];
  });
  return out;
}
