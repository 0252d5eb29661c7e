import * as tf from '@tensorflow/tfjs';
import { scansAt } from '@/lib/architectures/places';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { rescan } from '../rescan';
import type { Span } from '../span';
import { type Captured, captureBlock } from './continuation';
import type { PatchInputs, PatchRequest } from './patchPlan';
import { indicesOf, mixerOf } from './points';

/** One scan of the receiving run, and how far the source's states are from its own. */
interface ScanStates {
  readonly y: string;
  readonly delta: Captured;
  readonly A: Captured;
  readonly C: Captured;
  /** S_source − S_own after every token, [L, …]; 0 where a token has no counterpart, and outside the patched part. */
  readonly gap: Float32Array;
  /** Of a state, [E,N] or [H,P,N]. */
  readonly shape: readonly number[];
}

/**
 * Hooks that give row k of a batch the source's states at the tokens of span k. The scan is linear in its state, so the
 * receiving run's output needs no second recurrence:
 *
 *     y_i += C_i (S_source − S_own)_i                            i inside the span
 *     y_i += C_i (Π_{k=end..i} Ā_k) (S_source − S_own)_{end−1}    i ≥ end
 *
 * Cost: the block once for each prompt, token by token; then one scan of the batch that starts from the gap and reads no x.
 */
export function stateHooks(
  model: Model,
  request: PatchRequest,
  { source: from, receiver, counterpart }: PatchInputs,
  layer: number,
): (spans: readonly Span[]) => Hook[] {
  const block = model.config.blocks[layer];
  const scans = scansAt(layer, block, mixerOf(request)).map(({ at }): ScanStates => {
    const seen = captureBlock(model, receiver, layer, ['delta', 'A', 'C', 'h'].map(at));
    const source = captureBlock(model, from, layer, [at('h')]).get(at('h')) as Captured;
    const own = seen.get(at('h')) as Captured;
    const shape = own.shape.slice(2);
    const channels = indicesOf(request, block, shape[0]);
    const [delta, A, C] = ['delta', 'A', 'C'].map((point) => seen.get(at(point)) as Captured);
    return { y: at('y'), delta, A, C, shape, gap: gapOf(own.data, source.data, counterpart, shape, channels) };
  });
  return (spans) =>
    scans.map((scan): Hook => [scan.y, (y) => tf.tidy(() => y.add(carried(scan, block.mixer, spans, y.shape)))]);
}

function gapOf(
  own: Float32Array,
  source: Float32Array,
  counterpart: Int32Array,
  shape: readonly number[],
  channels: readonly number[] | undefined,
): Float32Array {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const width = size / shape[0];
  const chosen = channels ?? Array.from({ length: shape[0] }, (_, k) => k);
  const gap = new Float32Array(counterpart.length * size);
  counterpart.forEach((place, t) => {
    if (place < 0) return;
    for (const channel of chosen)
      for (let k = channel * width; k < (channel + 1) * width; k++)
        gap[t * size + k] = source[place * size + k] - own[t * size + k];
  });
  return gap;
}

/** What the gap adds to y, [rows,L,E]. */
function carried(
  { delta, A, C, gap, shape }: ScanStates,
  { E, N, G }: MixerConfig,
  spans: readonly Span[],
  [rows, L]: readonly number[],
): tf.Tensor {
  const size = E * N;
  const steps = delta.shape[2];
  const deltas = new Float32Array(rows * L * steps);
  const states = new Float32Array(rows * size);
  const reads = new Float32Array(rows * L * E);
  const later = new Float32Array(rows * L);
  spans.forEach(([start, end], row) => {
    // A step of length 0 keeps the state, so that every row's scan may start at the first token.
    deltas.set(delta.data.subarray(end * steps), (row * L + end) * steps);
    states.set(gap.subarray((end - 1) * size, end * size), row * size);
    later.fill(1, row * L + end - 1, (row + 1) * L);
    for (let t = start; t < end - 1; t++) reads.set(readAt(C.data, gap, t, { E, N, G }), (row * L + t) * E);
  });
  const tiled = (C.shape.length === 3 ? [rows, L, N] : [rows, L, G, N]) as [number, number, number];
  const scan = {
    delta: tf.tensor3d(deltas, [rows, L, steps]),
    A: tf.tensor(A.data, [...A.shape]),
    B: tf.zeros(tiled),
    C: tf.tile(tf.tensor(C.data, [...C.shape]), [rows, ...C.shape.slice(1).map(() => 1)]),
    state: tf.tensor(states, [rows, ...shape]),
  };
  return rescan(scan, tf.zeros([rows, L, E]))
    .mul(tf.tensor3d(later, [rows, L, 1]))
    .add(tf.tensor3d(reads, [rows, L, E]));
}

/** C_t times the gap after token t, [E]; channels are in groups of E / G that share C (one group in Mamba-1). */
function readAt(
  C: Float32Array,
  gap: Float32Array,
  t: number,
  { E, N, G }: Pick<MixerConfig, 'E' | 'N' | 'G'>,
): Float32Array {
  const groups = Math.max(1, G);
  return Float32Array.from({ length: E }, (_, e) => {
    const at = (t * groups + Math.floor((e * groups) / E)) * N;
    let sum = 0;
    for (let n = 0; n < N; n++) sum += C[at + n] * gap[(t * E + e) * N + n];
    return sum;
  });
}
