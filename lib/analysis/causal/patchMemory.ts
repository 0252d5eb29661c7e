import * as tf from '@tensorflow/tfjs';
import { type DecodingState, disposeState, extend, type Model } from '@/lib/models';
import type { Steps } from '../steps';
import { inBatches, valuesOf } from './continuation';
import type { PatchInputs, PatchRequest } from './patchPlan';
import { indicesOf, pointNames } from './points';
import { rowOf } from './question';
import { replaceRegions } from './replacement';

/**
 * Patches what decoding remembers after the last token of each span (names of {@link DecodingState}): row r of a batch
 * has the state or the convolution's inputs of layer r from the source, and reads the rest of the receiving prompt.
 * Yields after every span.
 */
export function* memorySweep(
  model: Model,
  request: PatchRequest,
  { windows, spans, counterpart, position, budget, source, receiver, receive }: PatchInputs,
): Generator<Steps, void, void> {
  const batches = [...inBatches(windows.flat(), budget.rows)];
  const reader = (tokens: readonly number[]) => advancing(model, tokens);
  const ends = spans.map(([, end], column) => ({ end, column })).sort((a, b) => a.end - b.end);
  const total = spans.length * batches.length;
  let done = 0;
  const [sourceRun, ownRun] = [reader(source.tokens), reader(receiver.tokens)];
  let furthest = -1;
  try {
    for (const { end, column } of ends) {
      if (counterpart[end - 1] < furthest) sourceRun.restart();
      furthest = counterpart[end - 1];
      const from = sourceRun.upTo(counterpart[end - 1] + 1);
      const base = ownRun.upTo(end);
      for (const { start, part } of batches) {
        const rest = receiver.tokens.slice(end, position + 1);
        const logits =
          rest.length === 0 ? undefined : readOn(model, mixed(model, request, part, base, from), part.length, rest);
        part.forEach((_, r) => {
          receive(start + r, column, logits ? rowOf(logits, model, r) : receiver.logits);
        });
        done += 1;
        yield { done, total };
      }
    }
  } finally {
    sourceRun.dispose();
    ownRun.dispose();
  }
}

/** A prompt that is read piece by piece. */
function advancing(model: Model, tokens: readonly number[]) {
  let state: DecodingState | undefined;
  const dispose = () => {
    if (state) disposeState(state);
    state = undefined;
  };
  return {
    dispose,
    restart: dispose,
    /** The state after the first `end` tokens; valid until the next call. */
    upTo(end: number): DecodingState {
      const start = state?.position ?? 0;
      if (state && end === start) return state;
      const next = extend(model, [tokens.slice(start, end)], state);
      next.logits.dispose();
      dispose();
      state = next.state;
      return state;
    },
  };
}

/** The state of the receiving run in as many rows as there are layers; row r has what is patched from the source. */
function mixed(
  { config }: Model,
  request: PatchRequest,
  layers: readonly number[],
  base: DecodingState,
  source: DecodingState,
): DecodingState {
  const rowOfName = new Map(
    layers.flatMap((layer, row) => memoryNames(layer, base, request).map((name) => [name, row])),
  );
  const axis = request.point === 'conv' ? 2 : 1;
  const patch = (name: string, value: tf.Tensor) =>
    tf.tidy(() => {
      const wide = tf.tile(value, [layers.length, ...value.shape.slice(1).map(() => 1)]);
      const row = rowOfName.get(name);
      if (row === undefined) return wide;
      const channels = indicesOf(request, config.blocks[layers[row]], value.shape[axis] as number);
      const regions = layers.map((_, r) => ({ positions: [[0, r === row ? 1 : 0]] as const, channels }));
      const taken = source.tensors.get(name) as tf.Tensor;
      return tf.squeeze(replaceRegions(wide.expandDims(1), taken.expandDims(1), regions, axis + 1), [1]);
    });
  return {
    position: base.position,
    tensors: new Map([...base.tensors].map(([name, value]) => [name, patch(name, value)])),
  };
}

/** `blocks.3.ssm`, or `blocks.3.mixer_1.ssm`, … */
const memoryNames = (layer: number, { tensors }: DecodingState, { point, mixer }: PatchRequest): string[] =>
  pointNames(layer, point, mixer).filter((name) => tensors.has(name));

function readOn(model: Model, state: DecodingState, rows: number, tokens: readonly number[]): Float32Array {
  const { logits, state: after } = extend(
    model,
    Array.from({ length: rows }, () => [...tokens]),
    state,
  );
  disposeState(state);
  disposeState(after);
  return valuesOf(logits);
}
