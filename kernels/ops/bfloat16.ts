import * as tf from '@tensorflow/tfjs';
import { bfloat16Bits } from './bfloat16-bits';
import { requireDtype } from './validate';

/**
 * x rounded to bfloat16 (8 bits of mantissa, to nearest even: relative error at most 2⁻⁸), for weights that are read
 * often and not trained. Any shape, float32 in and out; no gradient. A device that has the kernel RoundToBfloat16 keeps
 * the result in two bytes a value; the others round and keep float32.
 *
 * @throws OperandError where x is not float32.
 */
export function roundToBfloat16<T extends tf.Tensor>(x: T): T {
  requireDtype('roundToBfloat16', 'x', x, 'float32');
  if (tf.getKernel('RoundToBfloat16', tf.getBackend()))
    return tf.engine().runKernel('RoundToBfloat16', { x } as unknown as tf.NamedTensorMap) as T;
  return tf.tensor(toBfloat16Values(x.dataSync() as Float32Array), x.shape, 'float32') as T;
}

/** Whether the device computes from bfloat16 as it is, in two bytes a value. */
export const keepsBfloat16 = (): boolean => tf.getKernel('KeepBfloat16', tf.getBackend()) !== undefined;

/**
 * A float32 tensor of bfloat16 values given by their bits. A device that computes from those keeps that very memory; the others
 * hold the same values in float32.
 */
export function fromBfloat16(bits: Uint16Array, shape: readonly number[]): tf.Tensor {
  if (keepsBfloat16())
    return tf.engine().runKernel('KeepBfloat16', {}, { bits, shape } as unknown as tf.NamedAttrMap) as tf.Tensor;
  return tf.tensor(new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer), [...shape], 'float32');
}

/** A copy of host values, each rounded to bfloat16. */
export function toBfloat16Values(values: Float32Array): Float32Array {
  const rounded = Float32Array.from(values);
  const bits = new Uint32Array(rounded.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = bfloat16Bits(bits[i]) << 16;
  return rounded;
}
