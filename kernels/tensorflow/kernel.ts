import type * as tf from '@tensorflow/tfjs';

/** The inputs of a kernel that are present, by name. */
export type Operands = Readonly<Record<string, tf.Tensor>>;

export type Attributes = Readonly<Record<string, unknown>>;

/** An operation of ours written in tfjs operations; the register disposes of whatever it does not return. */
export type ComposedKernel = (operands: Operands, attributes: Attributes) => tf.Tensor[];

/** The gradients of the operands that are present, in the order of `names`. */
export function presentGradients(
  operands: Operands,
  gradients: Readonly<Record<string, tf.Tensor | undefined>>,
  names: readonly string[],
): tf.Tensor[] {
  return names.filter((name) => operands[name]).map((name) => gradients[name] as tf.Tensor);
}
