import * as tf from '@tensorflow/tfjs';
import type { Backend } from '../program';
import { product } from '../programs/product';
import { sizeOf } from '../shapes';

/** Below this many rows or columns tfjs's own programs, which split the depth, keep more of a device busy. */
const LEAST = 16;

interface Operands {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
}

/** Matrices of one batch, by our program; everything else stays with tfjs. For tfjs's registry, before any product is asked for. */
export function registerProducts(): void {
  const theirs = tf.getKernel('BatchMatMul', 'webgpu');
  if (!theirs) throw new Error('tfjs has no product of matrices for webgpu.');
  tf.unregisterKernel('BatchMatMul', 'webgpu');
  tf.registerKernel({
    ...theirs,
    kernelFunc: (call) => {
      const { a, b } = call.inputs as unknown as Operands;
      const { transposeA, transposeB } = call.attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const [M, K] = sidesOf(a, transposeA);
      const [, N] = sidesOf(b, transposeB);
      const batch = sizeOf(a.shape.slice(0, -2)) * sizeOf(b.shape.slice(0, -2));
      const isOurs = batch === 1 && M >= LEAST && N >= LEAST && a.dtype === 'float32' && b.dtype === 'float32';
      if (!isOurs) return theirs.kernelFunc(call);
      const shape = [...(a.shape.length >= b.shape.length ? a : b).shape.slice(0, -2), M, N];
      return product(call.backend as Backend, { lhs: a, rhs: b, M, N, K, transposeA, transposeB, shape });
    },
  });
}

/** Rows and columns of a matrix, or of its transpose. */
function sidesOf({ shape }: tf.TensorInfo, transposed: boolean): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
