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
  const none = rest.map(() => [0, 0] as [number, number]);
  const padded = missing > 0 ? tf.pad(whole, [[0, 0], [0, missing], ...none]) : whole;
  return padded.reshape([B * chunks, width, ...rest]);
}

/** The inverse of {@link cut}: [B·chunks, width, …] as the segment's rows [B, tokens, …]. */
export function joined(x: tf.Tensor, { tokens, chunks, width }: Segment): tf.Tensor {
  const [rows, , ...rest] = x.shape;
  const whole = x.reshape([rows / chunks, chunks * width, ...rest]);
  return tokens === chunks * width ? whole : whole.slice([0, 0], [-1, tokens]);
}

/**
 * The recurrence over chunks, S_k = decay_k ⊙ S_{k−1} + own_k with S_{−1} = carry, in about log₂ K passes.
 *
 * own [B,K,…], what each chunk gives from a zero state; decay [B,K,…] of the same rank, sizes 1 broadcast; carry [B,…].
 * Returns the states that enter each chunk [B,K,…] and the one that leaves the last [B,…].
 */
export function chunkStates(own: tf.Tensor, decay: tf.Tensor, carry: tf.Tensor) {
  const K = own.shape[1] as number;
  if (K === 1) return { entering: carry.expandDims(1), leaving: own.add(decay.mul(carry.expandDims(1))).squeeze([1]) };
  let states = tf.concat([carry.expandDims(1), own], 1);
  let decays = tf.pad(decay, [[0, 0], [1, 0], ...decay.shape.slice(2).map(() => [0, 0] as [number, number])]);
  for (let step = 1; step <= K; step *= 2) {
    states = states.add(decays.mul(shifted(states, step)));
    if (2 * step <= K) decays = decays.mul(shifted(decays, step));
  }
  return {
    entering: states.slice([0, 0], [-1, K]),
    leaving: states.slice([0, K], [-1, 1]).squeeze([1]),
  };
}

/** {@link chunkStates} from the last chunk to the first. */
export function chunkStatesBackward(own: tf.Tensor, decay: tf.Tensor, carry: tf.Tensor) {
  const { entering, leaving } = chunkStates(tf.reverse(own, 1), tf.reverse(decay, 1), carry);
  return { entering: tf.reverse(entering, 1), leaving };
}

/** Rows moved `by` later along axis 1; zeros move in. */
const shifted = (x: tf.Tensor, by: number): tf.Tensor =>
  tf.pad(x.slice([0, 0], [-1, (x.shape[1] as number) - by]), [
    [0, 0],
    [by, 0],
    ...x.shape.slice(2).map(() => [0, 0] as [number, number]),
  ]);
