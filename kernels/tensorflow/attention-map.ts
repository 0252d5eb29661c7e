import * as tf from '@tensorflow/tfjs';

/** Tokens of a tile: up to here all tiles are treated together, beyond pair by pair. */
const TILE = 32;

/** Consecutive equal blocks of h tokens: Δ, and its sums outward to the two ends, so that no exponent is a difference. */
export interface Blocks {
  /** Maps of the blocks [blocks,h,h]. */
  readonly map: tf.Tensor;
  /** Σ Δ from the block's start up to and with the token [blocks,h,channels]. */
  readonly head: tf.Tensor;
  /** Σ Δ from behind the token to the block's end [blocks,h,channels]. */
  readonly tail: tf.Tensor;
  /** First token of block 0 and tokens of a block. */
  readonly start: number;
  readonly width: number;
}

/**
 * How far targets see sources: [blocks,targets,sources] from decay exponents of both sides, which meet at the border
 * between them. `sources` and `targets` say which tokens the blocks are.
 */
export type CrossMap = (sources: Span, tail: tf.Tensor, targets: Span, head: tf.Tensor) => tf.Tensor;

/** `count` blocks of `width` tokens, `stride` apart. */
export interface Span {
  readonly start: number;
  readonly width: number;
  readonly stride: number;
  readonly count: number;
}

/**
 * The [L,L] map of a recurrence by halves: a pair of neighbouring blocks has the maps of its halves on the diagonal and
 * one product `cross` below it. ⌈log₂ L⌉ levels; every pair of tokens is in one product.
 *
 * @param delta Δ [L,channels] @param diagonal α[i,i] [L]
 */
export function mapByHalves(delta: tf.Tensor2D, diagonal: tf.Tensor1D, cross: CrossMap): tf.Tensor2D {
  const [L, channels] = delta.shape;
  const tile = Math.min(TILE, 2 ** Math.ceil(Math.log2(L)));
  const padded = Math.ceil(L / tile) * tile;
  const rows = tf.pad(delta, [
    [0, padded - L],
    [0, 0],
  ]);
  let blocks: Blocks = {
    map: tf.pad(diagonal, [[0, padded - L]]).reshape([padded, 1, 1]),
    head: rows.expandDims(1),
    tail: tf.zeros([padded, 1, channels]),
    start: 0,
    width: 1,
  };
  while (blocks.width < tile) {
    const [first, second] = halves(blocks);
    blocks = paired(first, second, cross);
  }
  const tiles = Array.from({ length: padded / tile }, (_, i) => ({
    map: blocks.map.slice([i, 0, 0], [1, -1, -1]),
    head: blocks.head.slice([i, 0, 0], [1, -1, -1]),
    tail: blocks.tail.slice([i, 0, 0], [1, -1, -1]),
    start: i * tile,
    width: tile,
  }));
  return unite(tiles, cross).map.slice([0, 0, 0], [1, L, L]).reshape([L, L]);
}

function unite(tiles: readonly Blocks[], cross: CrossMap): Blocks {
  if (tiles.length === 1) return tiles[0];
  const middle = 2 ** Math.floor(Math.log2(tiles.length - 1));
  return paired(unite(tiles.slice(0, middle), cross), unite(tiles.slice(middle), cross), cross);
}

/** Even and odd blocks. */
function halves({ map, head, tail, start, width }: Blocks): [Blocks, Blocks] {
  const split = (x: tf.Tensor) => {
    const [count, ...rest] = x.shape;
    return tf.unstack(x.reshape([count / 2, 2, ...rest]), 1);
  };
  const [maps, heads, tails] = [map, head, tail].map(split);
  const half = (i: 0 | 1) => ({ map: maps[i], head: heads[i], tail: tails[i], start: start + i * width, width });
  return [half(0), half(1)];
}

function paired(first: Blocks, second: Blocks, cross: CrossMap): Blocks {
  const [count, h1, channels] = first.head.shape as [number, number, number];
  const h2 = second.width;
  const stride = second.start - first.start + h2;
  const span = ({ start, width }: Blocks): Span => ({ start, width, stride, count });
  const below = tf.tidy(() => cross(span(first), first.tail, span(second), second.head));
  const last = (sums: tf.Tensor, width: number) => sums.slice([0, width - 1, 0], [count, 1, channels]);
  return {
    map: tf.concat(
      [
        tf.pad(first.map, [
          [0, 0],
          [0, 0],
          [0, h2],
        ]),
        tf.concat([below, second.map], 2),
      ],
      1,
    ),
    head: tf.concat([first.head, second.head.add(last(first.head, h1))], 1),
    tail: tf.concat([first.tail.add(last(second.head, h2)), second.tail], 1),
    start: first.start,
    width: h1 + h2,
  };
}

/** The tokens of a span of x [L,…] as [count,width,…]; tokens beyond the end are zero. */
export function tokensOf(x: tf.Tensor, { start, width, stride, count }: Span): tf.Tensor {
  const [L, ...rest] = x.shape;
  const end = start + (count - 1) * stride + width;
  const none = rest.map(() => [0, 0] as [number, number]);
  if (count === 1) {
    const inside = x.slice([start], [Math.min(end, L) - start]);
    return tf.pad(inside, [[0, Math.max(0, end - L)], ...none]).expandDims(0);
  }
  const whole = count * stride;
  const padded = tf.pad(x.slice([0], [Math.min(whole, L)]), [[0, Math.max(0, whole - L)], ...none]);
  return padded.reshape([count, stride, ...rest]).slice([0, start], [-1, width]);
}
