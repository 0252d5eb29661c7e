import * as tf from '@tensorflow/tfjs';
import { scansAt } from '@/lib/architectures/places';
import type { MixerConfig } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import { rescan } from '../rescan';
import type { TokenSet } from './columns';
import { type Captured, captureBlock } from './continuation';
import type { PatchInputs, PatchRequest } from './patchPlan';
import { indicesOf, mixerOf } from './points';
import { replaceRegions } from './replacement';

/**
 * Hooks that give row k of a batch the source's states at the tokens of set k. What a row itself reads of the state goes with it, so
 * that several layers can be patched together:
 *
 *     y_i = C_i S_source,i                                            i inside a span
 *     y_i = C_i (Π_{k=end..i} Ā_k) S_source,end−1 + own inputs from end on    i behind it, up to the next span
 *
 * Cost: the block once for the source, token by token; then one scan of the batch for each span of a set.
 */
export function stateHooks(
  model: Model,
  request: PatchRequest,
  { source, counterpart }: PatchInputs,
  layer: number,
): (sets: readonly TokenSet[]) => Hook[] {
  const block = model.config.blocks[layer];
  const scans = scansAt(layer, block, mixerOf(request)).map(({ at }) => {
    const { shape, data } = captureBlock(model, source, layer, [at('h')]).get(at('h')) as Captured;
    const unit = shape.slice(2);
    const chosen = indicesOf(request, block, unit[0]);
    // A head of SSD stands for its channels of y.
    const width = block.mixer.E / unit[0];
    const channels = chosen?.flatMap((each) => Array.from({ length: width }, (_, p) => each * width + p));
    return { at, channels, states: alignedStates(data, unit, counterpart), unit };
  });
  return (sets) =>
    scans.flatMap(({ at, channels, states, unit }): Hook[] => {
      const seen = new Map<string, tf.Tensor>();
      const of = (point: string) => seen.get(at(point)) as tf.Tensor;
      const inputs = ['ssm_input', 'delta', 'A', 'B', 'C'].map(at);
      const replaced = (y: tf.Tensor): tf.Tensor =>
        Array.from({ length: Math.max(...sets.map((set) => set.length)) }).reduce<tf.Tensor>((before, _, k) => {
          const from = sets.map((set) => set[k]);
          const reads = readsInside(of('C').dataSync() as Float32Array, states, from, y.shape, block.mixer);
          const inside = replaceRegions(before, reads, regionsOf(from, channels));
          const behind = from.map((span, row): TokenSet => {
            const next = sets[row][k + 1]?.[0] ?? (y.shape[1] as number);
            return span ? [[span[1], next]] : [];
          });
          if (behind.every((set) => set.every(([start, end]) => start >= end))) return inside;
          const later = scannedOn({ of, states, unit }, from, y.shape);
          return replaceRegions(
            inside,
            later,
            behind.map((positions) => ({ positions, channels })),
          );
        }, y);
      return [
        ...inputs.map((name): Hook => [name, (value) => void seen.set(name, value)]),
        [at('y'), (y) => tf.tidy(() => replaced(y))],
      ];
    });
}

type Spans = readonly (readonly [number, number] | undefined)[];

const regionsOf = (spans: Spans, channels: readonly number[] | undefined) =>
  spans.map((span) => ({ positions: span ? [span] : [], channels }));

/** The source's states in the order of the receiving prompt [L,…]; zeros where a token has no counterpart. */
function alignedStates(data: Float32Array, unit: readonly number[], counterpart: Int32Array): Float32Array {
  const size = unit.reduce((product, axis) => product * axis, 1);
  const states = new Float32Array(counterpart.length * size);
  counterpart.forEach((place, t) => {
    if (place >= 0) states.set(data.subarray(place * size, (place + 1) * size), t * size);
  });
  return states;
}

/** y [rows,L,E] of every row's span, its own C on the source's states; zeros elsewhere. */
function readsInside(
  C: Float32Array,
  states: Float32Array,
  spans: Spans,
  [rows, L, E]: readonly number[],
  { N, G }: MixerConfig,
): tf.Tensor3D {
  const groups = Math.max(1, G);
  const reads = new Float32Array(rows * L * E);
  spans.forEach((span, row) => {
    for (let t = span?.[0] ?? 0; t < (span?.[1] ?? 0); t++)
      for (let e = 0; e < E; e++) {
        const at = ((row * L + t) * groups + Math.floor((e * groups) / E)) * N;
        const state = (t * E + e) * N;
        let sum = 0;
        for (let n = 0; n < N; n++) sum += C[at + n] * states[state + n];
        reads[(row * L + t) * E + e] = sum;
      }
  });
  return tf.tensor3d(reads, [rows, L, E]);
}

/** The scans of all rows, each going on from the source's state behind its span. */
function scannedOn(
  { of, states, unit }: { of(point: string): tf.Tensor; states: Float32Array; unit: readonly number[] },
  spans: Spans,
  [rows, L]: readonly number[],
): tf.Tensor3D {
  const size = unit.reduce((product, axis) => product * axis, 1);
  const after = new Float32Array(rows * L);
  const starts = new Float32Array(rows * size);
  spans.forEach((span, row) => {
    if (!span) return;
    // A step of length 0 keeps the state and reads nothing, so that every row's scan may start at the first token.
    after.fill(1, row * L + span[1], (row + 1) * L);
    starts.set(states.subarray((span[1] - 1) * size, span[1] * size), row * size);
  });
  const scan = {
    delta: of('delta').mul(tf.tensor3d(after, [rows, L, 1])),
    A: of('A'),
    B: of('B'),
    C: of('C'),
    state: tf.tensor(starts, [rows, ...unit]),
  };
  return rescan(scan, of('ssm_input') as tf.Tensor3D);
}
