import * as tf from '@tensorflow/tfjs';
import { MOST_GROUPS } from '../limits';
import type { Backend } from '../program';
import { product } from '../programs/product';
import { type RowProduct, rowProduct } from '../programs/row-product';
import { sizeOf } from '../shapes';

/** Below this many rows or columns tiles are mostly empty: tfjs has programs for that. */
const LEAST = 16;

interface Operands {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
}

/** The most rows that are multiplied with the rows of a weight, a workgroup each. */
const MOST_ROWS = 8;

/** A projection of few rows or of many, by the program that reads the weight best. */
export function projection(backend: Backend, what: Omit<RowProduct, 'residual'>): tf.TensorInfo {
  const { x, weight, bias, columns, rows, shape } = what;
  const [N, K] = weight.shape;
  if (rows <= MOST_ROWS && N <= MOST_GROUPS) return rowProduct(backend, what);
  const matrices = { lhs: x, rhs: weight, bias, M: rows, N, K, transposeA: false, transposeB: true };
  return product(backend, { ...matrices, columns, shape });
}

/** Matrices of one batch, by our programs; everything else stays with tfjs. For tfjs's registry, before any product is asked for. */
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
      if (batch !== 1 || a.dtype !== 'float32' || b.dtype !== 'float32') return theirs.kernelFunc(call);
      const shape = [...(a.shape.length >= b.shape.length ? a : b).shape.slice(0, -2), M, N];
      if (M <= MOST_ROWS && !transposeA && transposeB && N <= MOST_GROUPS) {
        const weight = { ...b, shape: [N, K] };
        return rowProduct(call.backend as Backend, { x: a, weight, rows: M, shape });
      }
      if (M < LEAST || N < LEAST) return theirs.kernelFunc(call);
      return product(call.backend as Backend, { lhs: a, rhs: b, M, N, K, transposeA, transposeB, shape });
    },
  });
}

/** Rows and columns of a matrix, or of its transpose. */
function sidesOf({ shape }: tf.TensorInfo, transposed: boolean): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
