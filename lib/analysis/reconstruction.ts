import * as tf from '@tensorflow/tfjs';
import { rescan, scanTensors } from './rescan';
import type { S6Inputs } from './s6Inputs';

/**
 * How far a map is from the scan it claims to describe, as ‖got − expected‖₂ / ‖expected‖₂:
 *
 * - one channel or head: the map applied to its own inputs x, against the outputs y of the forward pass;
 * - `mean`: the map applied to the channel mean of x, against the mean output of the scan when every channel is given
 *   that signal, which is the mean map by linearity;
 * - `mean_abs` and `max`, which are no linear maps: three of their columns, against the magnitudes of the scan's response
 *   to an impulse there; the largest of the three.
 *
 * @param map [L,L] Cost: O(L²·P) for a head, otherwise one to three scans and O(L²).
 */
export function reconstructionErrorOf(
  inputs: S6Inputs,
  reduction: { readonly how: string; readonly index?: number },
  map: Float32Array,
): number {
  if (reduction.how === 'mean') return errorOfMean(inputs, map);
  if (reduction.how === 'mean_abs' || reduction.how === 'max') return errorOfMagnitudes(inputs, map, reduction.how);
  return errorOfChannels(inputs, channelsOf(inputs, reduction), map);
}

function channelsOf(inputs: S6Inputs, { how, index = 0 }: { readonly how: string; readonly index?: number }): number[] {
  if (how === 'channel' || inputs.family === 'mamba1') return [index];
  return Array.from({ length: inputs.P }, (_, p) => index * inputs.P + p);
}

/** Column `channel` of a [L,E] array. */
const column = (values: Float32Array, L: number, E: number, channel: number) =>
  Float64Array.from({ length: L }, (_, i) => values[i * E + channel]);

function errorOfChannels({ L, E, x, y }: S6Inputs, channels: readonly number[], map: Float32Array): number {
  const got = channels.flatMap((e) => [...apply(map, column(x, L, E, e))]);
  return relativeError(
    got,
    channels.flatMap((e) => [...column(y, L, E, e)]),
  );
}

function errorOfMean(inputs: S6Inputs, map: Float32Array): number {
  const { L, E, x } = inputs;
  const signal = tf.tidy(() => tf.mean(tf.tensor2d(x, [L, E]), 1).dataSync<'float32'>());
  const [response] = responses(inputs, signal, 'mean');
  return relativeError(apply(map, signal), response);
}

function errorOfMagnitudes(inputs: S6Inputs, map: Float32Array, how: 'mean_abs' | 'max'): number {
  const { L } = inputs;
  const sources = [...new Set([0, Math.floor(L / 2), L - 1])];
  const impulses = new Float32Array(sources.length * L);
  sources.forEach((j, k) => {
    impulses[k * L + j] = 1;
  });
  const errors = responses(inputs, impulses, how).map((response, k) =>
    relativeError(
      Float64Array.from({ length: L }, (_, i) => map[i * L + sources[k]]),
      response,
    ),
  );
  return Math.max(...errors);
}

/** Outputs of the scan when all channels get the same signal, of each [signals,L], reduced over channels. */
function responses(inputs: S6Inputs, signals: Float32Array, how: 'mean' | 'mean_abs' | 'max'): Float32Array[] {
  const { L } = inputs;
  const reduced = tf.tidy(() => {
    // One channel per head is enough: all P of them share its map.
    const units = inputs.family === 'mamba1' ? inputs.E : inputs.H;
    const rows = signals.length / L;
    const x = tf.tile(tf.tensor3d(signals, [rows, L, 1]), [1, 1, units]);
    const y = rescan(scanTensors(inputs, rows), x);
    if (how === 'max') return tf.max(tf.abs(y), 2);
    return tf.mean(how === 'mean_abs' ? tf.abs(y) : y, 2);
  });
  const values = reduced.dataSync() as Float32Array;
  const rows = Array.from({ length: signals.length / L }, (_, k) => values.slice(k * L, (k + 1) * L));
  reduced.dispose();
  return rows;
}

/** M·v for a lower-triangular map [L,L], summed in float64. */
export function apply(map: Float32Array, v: ArrayLike<number>): Float64Array {
  const L = v.length;
  const result = new Float64Array(L);
  for (let i = 0; i < L; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += map[i * L + j] * v[j];
    result[i] = sum;
  }
  return result;
}

/** ‖got − expected‖₂ / ‖expected‖₂, or the numerator where nothing is expected. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (got[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return size === 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
}
