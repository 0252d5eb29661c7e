import * as tf from '@tensorflow/tfjs';

/** Tokens of a tile: up to here all pairs of blocks are treated together, beyond one by one. */
const TILE = 32;

/**
 * Equal blocks of h tokens and what joins them to others; c counts channels, or channels and states together. Decays are
 * products outward to the block's ends, so that none of them is a quotient.
 */
interface Blocks {
  /** Maps of the blocks [blocks,h,h]. */
  readonly map: tf.Tensor;
  /** What a target reads of a state that enters the block [blocks,h,c]. */
  readonly read: tf.Tensor;
  /** What a source leaves in the state behind the block [blocks,h,c]. */
  readonly written: tf.Tensor;
  /** Decay across the block [blocks,1,c]. */
  readonly decay: tf.Tensor;
}

/** Entries [blocks,targets,sources] from what targets read and sources left at the border between them. */
export type Cross = (read: tf.Tensor, written: tf.Tensor) => tf.Tensor;

/** Σ_c read·written. */
export const product: Cross = (read, written) => tf.matMul(read, written, false, true);

/**
 * The [L,L] map of a recurrence by halves: two neighbouring blocks have their own maps on the diagonal and one `cross`
 * below it. Every pair of tokens is in one product; ⌈log₂ L⌉ passes over [L,c].
 *
 * @param decay of a step [L,c] @param read by a token from the state behind it [L,c] @param written by a token [L,c]
 * @param diagonal α[i,i] [L]
 */
export function mapByHalves(
  decay: tf.Tensor,
  read: tf.Tensor,
  written: tf.Tensor,
  diagonal: tf.Tensor,
  cross: Cross,
): tf.Tensor {
  const L = diagonal.size;
  const tile = Math.min(TILE, 2 ** Math.ceil(Math.log2(L)));
  const padded = Math.ceil(L / tile) * tile;
  const single = (x: tf.Tensor) =>
    tf
      .pad(x.reshape([L, -1]), [
        [0, padded - L],
        [0, 0],
      ])
      .expandDims(1);
  let blocks: Blocks = {
    map: single(diagonal),
    read: single(read.mul(decay)),
    written: single(written),
    decay: single(decay),
  };
  for (let width = 1; width < tile; width *= 2) {
    const pieces = blocks;
    blocks = tidied(() => paired(every(pieces, 0), every(pieces, 1), cross));
    release(pieces);
  }
  const tiles = Array.from({ length: padded / tile }, (_, i) => eachOf(blocks, (x) => x.slice([i], [1])));
  return mapOf(tiles, cross).slice([0, 0, 0], [1, L, L]).reshape([L, L]);
}

/** Where the first of two parts of several tiles ends: after a power of two of them. */
const middleOf = ({ length }: readonly Blocks[]): number => 2 ** Math.floor(Math.log2(length - 1));

/** The map of consecutive tiles [1,h,h]. */
function mapOf(tiles: readonly Blocks[], cross: Cross): tf.Tensor {
  if (tiles.length === 1) return tiles[0].map;
  const middle = middleOf(tiles);
  return joinedMap(united(tiles.slice(0, middle), cross), united(tiles.slice(middle), cross), cross);
}

/** Consecutive tiles as one block; the tiles are released. */
function united(tiles: readonly Blocks[], cross: Cross): Blocks {
  if (tiles.length === 1) return tiles[0];
  const middle = middleOf(tiles);
  const [first, second] = [united(tiles.slice(0, middle), cross), united(tiles.slice(middle), cross)];
  const whole = tidied(() => paired(first, second, cross));
  release(first);
  release(second);
  return whole;
}

const tidied = (compute: () => Blocks): Blocks =>
  tf.tidy(compute as unknown as () => tf.TensorContainerObject) as never;

const release = (blocks: Blocks): void => tf.dispose({ ...blocks });

const eachOf = ({ map, read, written, decay }: Blocks, change: (x: tf.Tensor) => tf.Tensor): Blocks => ({
  map: change(map),
  read: change(read),
  written: change(written),
  decay: change(decay),
});

/** The even or the odd blocks. */
const every = (blocks: Blocks, parity: 0 | 1): Blocks =>
  eachOf(blocks, (x) => {
    const [count, h, c] = x.shape as [number, number, number];
    return x
      .reshape([count / 2, 2, h * c])
      .slice([0, parity], [-1, 1])
      .reshape([count / 2, h, c]);
  });

function paired(first: Blocks, second: Blocks, cross: Cross): Blocks {
  return {
    map: joinedMap(first, second, cross),
    read: tf.concat([first.read, second.read.mul(first.decay)], 1),
    written: tf.concat([first.written.mul(second.decay), second.written], 1),
    decay: first.decay.mul(second.decay),
  };
}

function joinedMap(first: Blocks, second: Blocks, cross: Cross): tf.Tensor {
  const above = tf.pad(first.map, [
    [0, 0],
    [0, 0],
    [0, second.map.shape[2] as number],
  ]);
  const below = tf.concat([cross(second.read, first.written), second.map], 2);
  return tf.concat([above, below], 1);
}
