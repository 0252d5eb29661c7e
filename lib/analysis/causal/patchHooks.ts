import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Hook, Model } from '@/lib/models';
import type { TokenSet } from './columns';
import { captureBlock } from './continuation';
import type { PatchInputs, PatchRequest } from './patchPlan';
import { indicesOf, pointNames } from './points';
import { replaceRegions } from './replacement';
import { stateHooks } from './statePatch';

/**
 * What patches one block: given sets of tokens, hooks under which row k of a batch has set k from the source. Runs the block on
 * the source's prompt once.
 */
export function patchHooks(
  model: Model,
  request: PatchRequest,
  inputs: PatchInputs,
  layer: number,
): (sets: readonly TokenSet[]) => Hook[] {
  const make = request.point.endsWith('hook_h') ? stateHooks : rowHooks;
  return make(model, request, inputs, layer);
}

/** Points with one row per token. */
function rowHooks(model: Model, request: PatchRequest, { source, counterpart }: PatchInputs, layer: number) {
  const { point, mixer } = request;
  const captured = captureBlock(model, source, layer, pointNames(layer, point, mixer));
  const sources = [...captured].map(([name, { shape, data }]) => {
    const rest = shape.slice(2);
    const size = rest.reduce((product, axis) => product * axis, 1);
    const last = rest[rest.length - 1];
    if ((request.channels || request.heads) && rest.length !== 1)
      throw new InputError(`${point} has more than one axis of channels: patch it as a whole.`);
    const channels = indicesOf(request, model.config.blocks[layer], last);
    return { name, channels, shape: [1, counterpart.length, ...rest], data: alignedRows(data, size, counterpart) };
  });
  return (sets: readonly TokenSet[]): Hook[] =>
    sources.map(({ name, channels, shape, data }) => [
      name,
      (value) =>
        tf.tidy(() =>
          replaceRegions(
            value,
            tf.tensor(data, shape),
            sets.map((positions) => ({ positions, channels })),
          ),
        ),
    ]);
}

/** Rows of the source in the order of the receiving prompt; zeros where a token has no counterpart. */
function alignedRows(data: Float32Array, size: number, counterpart: Int32Array): Float32Array {
  const rows = new Float32Array(counterpart.length * size);
  counterpart.forEach((place, p) => {
    if (place >= 0) rows.set(data.subarray(place * size, (place + 1) * size), p * size);
  });
  return rows;
}
