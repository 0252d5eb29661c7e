import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import type { Span } from '../snr';
import { type Captured, captureBlock } from './continuation';
import type { PatchRequest } from './patch';
import type { PatchInputs } from './patchPlan';
import { indicesOf, pointNames } from './points';
import { replaceRegions } from './replacement';

/** Points that are not one row per token. */
const WITHOUT_POSITIONS = /(^|\.)hook_(A|lambda|h\.\d+)$/;

/**
 * What patches one block: given spans, hooks under which row k of a batch has span k from the clean run. Runs the block on
 * the clean prompt once.
 */
export function patchHooks(
  model: Model,
  request: PatchRequest,
  inputs: PatchInputs,
  layer: number,
): (spans: readonly Span[]) => Hook[] {
  const make = request.point.endsWith('hook_h') ? stateHooks : rowHooks;
  return make(model, request, inputs, layer);
}

/** Points with one row per token. */
function rowHooks(model: Model, request: PatchRequest, { clean, counterpart }: PatchInputs, layer: number) {
  const { point, mixer } = request;
  if (WITHOUT_POSITIONS.test(point))
    throw new InputError(
      `${point} is not one row per token, so it cannot be patched at a position: choose another point.`,
    );
  const captured = capturedOrRefused(model, clean, layer, pointNames(layer, point, mixer), point);
  const sources = [...captured].map(([name, { shape, data }]) => {
    const rest = shape.slice(2);
    const size = rest.reduce((product, axis) => product * axis, 1);
    const last = rest[rest.length - 1];
    if ((request.channels || request.heads) && rest.length !== 1)
      throw new InputError(`${point} has more than one axis of channels: patch it as a whole.`);
    const channels = indicesOf(request, model.config.blocks[layer], last);
    return { name, channels, shape: [1, counterpart.length, ...rest], data: alignedRows(data, size, counterpart) };
  });
  return (spans: readonly Span[]): Hook[] =>
    sources.map(({ name, channels, shape, data }) => [
      name,
      (value) =>
        tf.tidy(() =>
          replaceRegions(
            value,
            tf.tensor(data, shape),
            spans.map((positions) => ({ positions, channels })),
          ),
        ),
    ]);
}

/** States, which exist one token at a time. */
function stateHooks(model: Model, request: PatchRequest, { clean, counterpart }: PatchInputs, layer: number) {
  const patchable = [...counterpart.keys()].filter((t) => counterpart[t] >= 0);
  const at = (t: number) => pointNames(layer, `${request.point}.${t}`, request.mixer);
  const names = patchable.flatMap((t) => at(counterpart[t]));
  const states = capturedOrRefused(model, clean, layer, names, request.point);
  return (spans: readonly Span[]): Hook[] => {
    const touched = patchable.filter((t) => spans.some(([start, end]) => t >= start && t < end));
    return touched.flatMap((t) =>
      at(t).flatMap((name, k): Hook[] => {
        const source = states.get(at(counterpart[t])[k]);
        if (!source) return [];
        const channels = indicesOf(request, model.config.blocks[layer], source.shape[1]);
        const regions = spans.map(([start, end]) => ({
          positions: [0, t >= start && t < end ? 1 : 0] as const,
          channels,
        }));
        return [
          [
            name,
            (value) =>
              tf.tidy(() => {
                const clean = tf.tensor(source.data, [1, ...source.shape]);
                return tf.squeeze(replaceRegions(value.expandDims(1), clean, regions, 2), [1]);
              }),
          ],
        ];
      }),
    );
  };
}

function capturedOrRefused(
  model: Model,
  clean: PatchInputs['clean'],
  layer: number,
  names: readonly string[],
  point: string,
): ReadonlyMap<string, Captured> {
  const captured = captureBlock(model, clean, layer, names);
  if (captured.size > 0) return captured;
  throw new InputError(
    `Layer ${layer} (${model.config.blocks[layer].kind}) has no hook point ${point}: see docs/hooks.md for their names.`,
  );
}

/** Rows of the clean run in the order of the corrupted prompt; zeros where a token has no counterpart. */
function alignedRows(data: Float32Array, size: number, counterpart: Int32Array): Float32Array {
  const rows = new Float32Array(counterpart.length * size);
  counterpart.forEach((place, p) => {
    if (place >= 0) rows.set(data.subarray(place * size, (place + 1) * size), p * size);
  });
  return rows;
}
