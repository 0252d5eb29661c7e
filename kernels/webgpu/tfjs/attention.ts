import type * as tf from '@tensorflow/tfjs';
import { discard } from '../program';
import { causalSum } from '../programs/causal-sum';
import { type S6Map, s6AttentionFar } from '../programs/s6-attention-far';
import { s6AttentionNear } from '../programs/s6-attention-near';
import { type SsdMap, ssdAttentionFar } from '../programs/ssd-attention-far';
import { ssdAttentionNear } from '../programs/ssd-attention-near';
import { tileSums } from '../programs/tile-sums';
import { TILE } from '../tile';
import type { Call, Kernel } from './kernel';

/** Workgroups that a map is spread over where it has enough channels, and the most words of partial maps. */
const [WORKGROUPS, PARTIAL_WORDS, FEWEST_CHANNELS] = [1024, 1 << 24, 16];

/** More partial maps keep more of the device busy where there are few tiles. */
function splitsOf(L: number, channels: number): number {
  const tiles = Math.ceil(L / TILE);
  const wanted = Math.ceil(WORKGROUPS / ((tiles * (tiles + 1)) / 2));
  const most = Math.min(Math.floor(PARTIAL_WORDS / (L * L)), Math.floor(channels / FEWEST_CHANNELS));
  return Math.max(1, Math.min(wanted, most));
}

function s6MapOf({ inputs: { delta, A, B, C }, attrs: { reduce, channel } }: Call): S6Map {
  const [L, E] = delta.shape;
  const magnitude = reduce === 'mean_abs';
  const [first, channels] = reduce === 'channel' ? [channel as number, 1] : [0, E];
  return { delta, A, B, C, magnitude, first, channels, splits: splitsOf(L, channels) };
}

function ssdMapOf({ inputs: { delta, A, B, C }, attrs: { reduce, head } }: Call): SsdMap {
  const H = delta.shape[1];
  const [first, heads] = reduce === 'head' ? [head as number, 1] : [0, H];
  return { delta, A, B, C, magnitude: reduce === 'mean_abs', first, heads };
}

export const attention = {
  S6Attention: (call) => {
    const { backend } = call;
    const map = s6MapOf(call);
    const L = map.delta.shape[0];
    const parts: tf.TensorInfo = backend.makeTensorInfo([map.splits, L, L], 'float32');
    s6AttentionNear(backend, map, parts);
    if (L > TILE) {
      const sums = tileSums(backend, map.delta);
      s6AttentionFar(backend, map, sums, parts);
      discard(backend, sums.packed);
    }
    const result = causalSum(backend, parts, 1 / map.channels);
    discard(backend, parts);
    return [result];
  },

  SsdAttention: (call) => {
    const { backend } = call;
    const map = ssdMapOf(call);
    const L = map.delta.shape[0];
    const result: tf.TensorInfo = backend.makeTensorInfo([L, L], 'float32');
    ssdAttentionNear(backend, map, result);
    if (L > TILE) {
      const sums = tileSums(backend, map.delta);
      ssdAttentionFar(backend, map, sums, result);
      discard(backend, sums.packed);
    }
    return [result];
  },
} satisfies Record<string, Kernel>;
