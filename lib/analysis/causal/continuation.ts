import * as tf from '@tensorflow/tfjs';
import type { Hook, Model } from '@/lib/models';
import { residualsOf } from '../residuals';
import { type Steps, through } from '../steps';
import { rowOf } from './question';

/** One prompt up to the position that is read, as the model sees it without any change. */
export interface Baseline {
  readonly tokens: readonly number[];
  /** Number of tokens up to and including the position that is read: later ones cannot matter. */
  readonly L: number;
  /** Residual streams [L,d]: entering block 0, 1, …, and leaving the last. */
  readonly streams: readonly Float32Array[];
  /** Logits [V] at the position. */
  readonly logits: Float32Array;
}

/** Memory: 4 (blocks + 1) L d bytes. Cost: one forward pass, and one unembedding. */
export function baselineOf(model: Model, tokens: readonly number[], position: number): Baseline {
  const read = tokens.slice(0, position + 1);
  const { streams, L } = residualsOf(model, [read]);
  const { d, blocks } = model.config;
  const h = tf.tensor3d(streams[blocks.length].subarray((L - 1) * d), [1, 1, d]);
  const logits = rowOf(valuesOf(model.unembed(h)), model, 0);
  h.dispose();
  return { tokens: read, L, streams, logits };
}

/** Copies of one residual stream that enter a block together and are then made different by hooks. */
export interface Batch {
  /** The block that they enter. */
  readonly first: number;
  readonly rows: number;
  readonly hooks: readonly Hook[];
  /** Logits of the last residual stream at that position, [rows,1,d] → [rows,1,V]; default the model's. */
  readonly unembed?: (h: tf.Tensor3D) => tf.Tensor3D;
  /** Takes the logits [rows,V] at the position that is read. */
  readonly receive: (logits: Float32Array) => void;
}

/** What {@link sweep} is handed instead of a batch after a block that was run to prepare one. */
export const STEP = 'step';

/**
 * Runs every batch from its block to the end. Yields after each block that has been run; stop early with `return()`.
 * @param batches made one at a time, so that what their hooks hold does not add up
 * @param total blocks of all batches, see {@link blocksToRun}, and of what prepares them
 * Cost: for each batch the blocks from `first` on over rows·L tokens; nothing before `first` is run again.
 */
export function* sweep(
  model: Model,
  { L, streams }: Pick<Baseline, 'L' | 'streams'>,
  batches: Iterable<Batch | typeof STEP>,
  total: number,
): Generator<Steps, void, void> {
  let done = 0;
  for (const batch of batches) {
    if (batch === STEP) {
      done += 1;
      yield { done, total };
      continue;
    }
    const { first, rows, hooks, receive, unembed = model.unembed } = batch;
    const start = tf.tidy(() => tf.tile(tf.tensor3d(streams[first], [1, L, model.config.d]), [rows, 1, 1]));
    const blocks = blocksOf(model, start, first, hooks);
    const last = yield* through(blocks, () => {
      done += 1;
      return { done, total };
    });
    const logits = tf.tidy(() => unembed(last.slice([0, L - 1, 0], [-1, 1, -1])));
    last.dispose();
    receive(valuesOf(logits));
  }
}

/** Blocks that are run when `columns` rows enter each of these layers, `rows` at a time. */
export const blocksToRun = (model: Model, layers: readonly number[], columns: number, rows: number): number =>
  layers.reduce((sum, layer) => sum + Math.ceil(columns / rows) * (model.config.blocks.length - layer), 0);

/** Items in runs of at most `size`, each with the index of its first. */
export function* inBatches<T>(items: readonly T[], size: number): Generator<{ start: number; part: readonly T[] }> {
  for (let start = 0; start < items.length; start += size) yield { start, part: items.slice(start, start + size) };
}

/** The blocks from `first` on over a stream that they take over. */
function* blocksOf(model: Model, start: tf.Tensor3D, first: number, hooks: readonly Hook[]) {
  const blocks = model.blocksFrom(start, first, hooks);
  try {
    return yield* blocks;
  } finally {
    start.dispose();
  }
}

/** A tensor's values apart from the device. */
export interface Captured {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A hook that keeps what it sees by its name. */
export function keeping() {
  const kept = new Map<string, Captured>();
  const keep = (value: tf.Tensor, name: string): void => {
    kept.set(name, { shape: value.shape, data: (value.dataSync() as Float32Array).slice() });
  };
  return { kept, keep };
}

/** Values of the hook points in one block of the unchanged prompt, in memory of their own. Cost: that block. */
export function captureBlock(
  model: Model,
  { streams, L }: Pick<Baseline, 'streams' | 'L'>,
  block: number,
  names: readonly string[],
): Map<string, Captured> {
  const { kept, keep } = keeping();
  const start = tf.tensor3d(streams[block], [1, L, model.config.d]);
  const hooks = names.map((name): Hook => [name, keep]);
  const blocks = model.blocksFrom(start, block, hooks);
  try {
    blocks.next();
  } finally {
    blocks.return(undefined as never);
    start.dispose();
  }
  return kept;
}

/** A tensor's values in memory of their own, after which it is disposed of. */
export function valuesOf(tensor: tf.Tensor): Float32Array {
  const values = (tensor.dataSync() as Float32Array).slice();
  tensor.dispose();
  return values;
}
