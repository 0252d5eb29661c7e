import type * as tf from '@tensorflow/tfjs';

/** A tensor that an operation cannot take; the message names the operation, the input and the shape it should have. */
export class OperandError extends Error {
  override readonly name = 'OperandError';
}

/** Requires `tensor` to be of `dtype` and of the shape `sizes`, whose axes are called `letters` (`L,E`) in the message. */
export function requireShape(
  op: string,
  input: string,
  tensor: tf.Tensor,
  letters: string,
  sizes: readonly number[],
  dtype: tf.DataType = 'float32',
): void {
  if (tensor.shape.length !== sizes.length || sizes.some((size, i) => tensor.shape[i] !== size)) {
    throw new OperandError(
      `${op}: ${input} has shape [${tensor.shape}]; it must be [${letters}] = [${sizes}] to fit the other inputs`,
    );
  }
  requireDtype(op, input, tensor, dtype);
}

/** Requires `tensor` to have as many axes as `letters` and returns its shape. */
export function requireRank(
  op: string,
  input: string,
  tensor: tf.Tensor,
  letters: string,
  dtype: tf.DataType = 'float32',
): readonly number[] {
  if (tensor.shape.length !== letters.split(',').length) {
    throw new OperandError(`${op}: ${input} has shape [${tensor.shape}]; it must have the axes [${letters}]`);
  }
  requireDtype(op, input, tensor, dtype);
  return tensor.shape;
}

/** Requires an integer from 1 that divides `total`. */
export function requireDivisor(op: string, name: string, value: number, total: number): void {
  if (!Number.isInteger(value) || value < 1 || total % value !== 0) {
    throw new OperandError(`${op}: ${name} = ${value} must be a whole number that divides ${total}`);
  }
}

/** Requires an integer index into `size` items. */
export function requireIndex(op: string, name: string, value: number, size: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= size) {
    throw new OperandError(`${op}: ${name} = ${value} must be a whole number from 0 to ${size - 1}`);
  }
}

/** Requires `tensor` to be of `dtype`. */
export function requireDtype(op: string, input: string, tensor: tf.Tensor, dtype: tf.DataType): void {
  if (tensor.dtype !== dtype) throw new OperandError(`${op}: ${input} is ${tensor.dtype}; it must be ${dtype}`);
}
