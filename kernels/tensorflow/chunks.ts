import * as tf from '@tensorflow/tfjs';

/** Tokens from `start` on, as `chunks` chunks of `width` tokens; the last one may reach beyond the end. */
export interface Segment {
  readonly start: number;
  readonly tokens: number;
  readonly chunks: number;
  readonly width: number;
}

/**
 * Cuts L tokens into chunks of at most `width` and those into segments, so that one segment, at `perChunk` elements a
 * chunk, holds at most `budget` elements (or one chunk): the memory of a scan does not grow with L.
 */
export function segmentsOf(L: number, width: number, perChunk: number, budget: number): Segment[] {
  const w = Math.min(width, L);
  const most = Math.max(1, Math.floor(budget / perChunk));
  const segments: Segment[] = [];
  for (let start = 0; start < L; start += most * w) {
    const tokens = Math.min(most * w, L - start);
    segments.push({ start, tokens, chunks: Math.ceil(tokens / w), width: w });
  }
  return segments;
}

/** The segment's rows of x [B,L,…] as [B·chunks, width, …]; tokens beyond the end are zero. */
export function cut(x: tf.Tensor, { start, tokens, chunks, width }: Segment): tf.Tensor {
  const [B, L, ...rest] = x.shape;
  const whole = tokens === L ? x : x.slice([0, start], [-1, tokens]);
  const missing = chunks * width - tokens;
  const padded = missing > 0 ? tf.pad(whole, [[0, 0], [0, missing], ...unpadded(x)]) : whole;
  return padded.reshape([B * chunks, width, ...rest]);
}

/** The inverse of {@link cut}: [B·chunks, width, …] as the segment's rows [B, tokens, …]. */
export function joined(x: tf.Tensor, { tokens, chunks, width }: Segment): tf.Tensor {
  const [rows, , ...rest] = x.shape;
  const whole = x.reshape([rows / chunks, chunks * width, ...rest]);
  return tokens === chunks * width ? whole : whole.slice([0, 0], [-1, tokens]);
}

/** Chunks that {@link chunkStates} takes one after the other. */
const GROUP = 32;

/**
 * The recurrence over chunks, S_k = decay_k ⊙ S_{k−1} + own_k with S_{−1} = carry. More than 32 chunks go in groups that
 * step together, with the same recurrence over groups: work in proportion to K, steps to its logarithm.
 *
 * own [B,K,…], what each chunk gives from a zero state; decay [B,K,…] of the same rank, sizes 1 broadcast; carry [B,…].
 * Returns the states that enter each chunk [B,K,…] and the one that leaves the last [B,…].
 */
export function chunkStates(own: tf.Tensor, decay: tf.Tensor, carry: tf.Tensor): ChunkStates {
  const [B, K, ...rest] = own.shape;
  if (K <= GROUP) return oneByOne(own, decay, carry);
  const groups = Math.ceil(K / GROUP);
  const grouped = (x: tf.Tensor, filler: number) =>
    tf
      .pad(x, [[0, 0], [0, groups * GROUP - K], ...unpadded(x)], filler)
      .reshape([B * groups, GROUP, ...x.shape.slice(2)]);
  const [owns, decays] = [grouped(own, 0), grouped(decay, 1)];
  const byGroup = (x: tf.Tensor) => x.reshape([B, groups, ...x.shape.slice(1)]);
  const ofGroups = oneByOne(owns, decays, tf.zeros([B * groups, ...rest])).leaving;
  const across = chunkStates(byGroup(ofGroups), byGroup(tf.prod(decays, 1)), carry);
  const inside = oneByOne(owns, decays, across.entering.reshape([B * groups, ...rest]));
  return {
    entering: inside.entering.reshape([B, groups * GROUP, ...rest]).slice([0, 0], [-1, K]),
    leaving: across.leaving,
  };
}

interface ChunkStates {
  readonly entering: tf.Tensor;
  readonly leaving: tf.Tensor;
}

function oneByOne(own: tf.Tensor, decay: tf.Tensor, carry: tf.Tensor): ChunkStates {
  const decays = tf.unstack(decay, 1);
  const states = [carry];
  tf.unstack(own, 1).forEach((each, k) => {
    states.push(tf.tidy(() => decays[k].mul(states[k]).add(each)));
  });
  return { entering: tf.stack(states.slice(0, -1), 1), leaving: states[states.length - 1] };
}

/** No padding of the axes behind the second. */
const unpadded = (x: tf.Tensor) => x.shape.slice(2).map(() => [0, 0] as [number, number]);

/** {@link chunkStates} from the last chunk to the first. */
export function chunkStatesBackward(own: tf.Tensor, decay: tf.Tensor, carry: tf.Tensor) {
  const { entering, leaving } = chunkStates(tf.reverse(own, 1), tf.reverse(decay, 1), carry);
  return { entering: tf.reverse(entering, 1), leaving };
}
