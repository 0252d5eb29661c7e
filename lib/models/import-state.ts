import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { type Decoder, extend } from './decode';
import { type DecodingState, disposeState, GROWS, POSITION } from './decoding-state';

/**
 * A state of this model from what `exportState` gave, or from tensors made by hand; without `position` it counts as
 * the start of the text. Cost: one forward pass over one token, which tells the shapes that the model needs.
 *
 * @throws InputError where a tensor is missing, unknown, of another shape, or holds NaN or infinite values
 */
export function importState(
  model: Decoder,
  stored: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> }>,
): DecodingState {
  const shapes = stateShapes(model);
  const unknown = [...stored.keys()].find((name) => name !== POSITION && !shapes.has(name));
  if (unknown)
    throw new InputError(`The state holds ${unknown}, which this model does not have: it is of another model.`);
  const rows = [...stored].find(([name]) => name !== POSITION)?.[1].shape[0] ?? 0;
  const tensors = new Map<string, tf.Tensor>();
  for (const [name, [, ...rest]] of shapes) {
    const found = stored.get(name);
    const needed = [rows, ...rest];
    if (!found) throw new InputError(`The state lacks ${name}: it is of another model.`);
    const shape = GROWS.test(name) ? [rows, found.shape[1], ...rest.slice(1)] : needed;
    if (found.shape.join() !== shape.join())
      throw new InputError(`${name} of the state has shape [${found.shape}] and this model needs [${shape}].`);
    const data = Float32Array.from(found.data, Number);
    if (!data.every(Number.isFinite)) throw new InputError(`${name} of the state holds NaN or infinite values.`);
    tensors.set(name, tf.tensor(data, shape, 'float32'));
  }
  return { position: Number(stored.get(POSITION)?.data[0] ?? 0), tensors };
}

function stateShapes(model: Decoder): Map<string, number[]> {
  const { logits, state } = extend(model, [[0]]);
  const shapes = new Map([...state.tensors].map(([name, { shape }]) => [name, shape]));
  logits.dispose();
  disposeState(state);
  return shapes;
}
