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

/** Floats of 16 bits. */
export type HalfFormat = 'bfloat16' | 'float16';

/** Whether the device computes from floats of 16 bits as they are, in two bytes a value. */
export const keepsHalves = (): boolean => tf.getKernel('KeepHalves', tf.getBackend()) !== undefined;

/** A float32 tensor of values given by their 16 bits: the device computes from that very memory ({@link keepsHalves}). */
export function fromHalves(bits: Uint16Array, shape: readonly number[], format: HalfFormat): tf.Tensor {
  return tf.engine().runKernel('KeepHalves', {}, { bits, shape, format } as unknown as tf.NamedAttrMap) as tf.Tensor;
}

/** A copy of host values, each rounded to bfloat16. */
export function toBfloat16Values(values: Float32Array): Float32Array {
  const rounded = Float32Array.from(values);
  const bits = new Uint32Array(rounded.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = bfloat16Bits(bits[i]) << 16;
  return rounded;
}
