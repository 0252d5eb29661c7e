import type * as tf from '@tensorflow/tfjs';
import type { NativeBackend } from './backend';

export interface KernelInputs {
  readonly backend: NativeBackend;
  /** By the names that tfjs gives the kernel's inputs; optional inputs may be absent. */
  readonly inputs: Record<string, tf.TensorInfo>;
  // biome-ignore lint/suspicious/noExplicitAny: tfjs attributes are untyped; every override states what it reads.
  readonly attrs: any;
}

/** A tfjs kernel on the add-on. Null means: not for these inputs, let the JavaScript kernel of 'cpu' do it. */
export type Override = (call: KernelInputs) => tf.TensorInfo | tf.TensorInfo[] | null;

/** Overrides by tfjs kernel name. */
export type Overrides = Readonly<Record<string, Override>>;

/** True where all are float32 (absent ones do not count). */
export function allFloat(...tensors: (tf.TensorInfo | undefined)[]): boolean {
  return tensors.every((tensor) => tensor === undefined || tensor.dtype === 'float32');
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}
