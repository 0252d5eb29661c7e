import type * as tf from '@tensorflow/tfjs';
import type { NativeBackend } from '../backend';
import { sizeOf } from '../override';

type Optional = tf.TensorInfo | undefined;

/** The floats of a tensor; null, which the add-on reads as absent, where there is none. */
export function optionalFloats(backend: NativeBackend, tensor: Optional): Float32Array | null {
  return tensor ? backend.floats(tensor) : null;
}

/** A buffer of the size of each tensor, to be filled; null where there is no tensor. */
export function allocateLike<T extends Optional[]>(
  backend: NativeBackend,
  ...tensors: T
): { [K in keyof T]: T[K] extends tf.TensorInfo ? Float32Array : Float32Array | null } {
  return tensors.map((tensor) => (tensor ? backend.allocate(sizeOf(tensor.shape)) : null)) as never;
}

/** A buffer for each shape, to be filled. */
export function allocateShapes(backend: NativeBackend, shapes: readonly number[][]): Float32Array[] {
  return shapes.map((shape) => backend.allocate(sizeOf(shape)));
}

/** The shapes of a scan's results: y, and the last state where it is asked for. */
export function scanShapes(y: number[], state: number[], { finalState }: { finalState?: unknown }): number[][] {
  return finalState ? [y, state] : [y];
}

/** The gradients of the present inputs as tensors of their shapes, in the same order. */
export function gradientOutputs(
  backend: NativeBackend,
  tensors: readonly Optional[],
  gradients: readonly (Float32Array | null)[],
): tf.TensorInfo[] {
  return tensors.flatMap((tensor, i) => {
    const gradient = gradients[i];
    return tensor && gradient ? [backend.output(tensor.shape, gradient)] : [];
  });
}
