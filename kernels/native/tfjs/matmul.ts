import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import { allFloat, type KernelInputs, type Override, type Overrides, sizeOf } from '../override';
import { FEWEST_ROWS, MOST_ROWS } from '../packed-weights';

const ACTIVATIONS: Readonly<Record<string, number>> = { linear: 0, relu: 1, sigmoid: 2 };

interface Product {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
  readonly bias?: tf.TensorInfo;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation: number;
}

/** How the C++ kernel is given b. */
const FLOATS = 0;
const PANELS = 1;
/** Of bfloat16; the next is of float16. */
const HALVES = 2;

/** b for M rows of a, in the form that the product reads fastest. */
function secondFactor(
  backend: NativeBackend,
  b: tf.TensorInfo,
  [M, K, N]: readonly [number, number, number],
  transposed: boolean,
): readonly [Float32Array | Uint16Array, form: number] {
  const halves = transposed && backend.halves(b);
  if (halves) return [halves, HALVES + backend.halfForm(b) - 1];
  const matrix = { N, K, rowStride: transposed ? 1 : N, columnStride: transposed ? K : 1 };
  const few = M >= FEWEST_ROWS && M <= MOST_ROWS;
  const panels = few && backend.panels(b, matrix);
  return panels ? [panels, PANELS] : [backend.floats(b), FLOATS];
}

/**
 * act(a·b + bias) for a [..., M, K], b [..., K, N], either stored transposed; one side's leading dimensions may be
 * missing or 1. Null where both sides broadcast.
 */
function multiply({ backend }: KernelInputs, product: Product): tf.TensorInfo | null {
  const { a, b, bias, transposeA, transposeB, activation } = product;
  const leadingA = a.shape.slice(0, -2);
  const leadingB = b.shape.slice(0, -2);
  const batchA = sizeOf(leadingA);
  const batchB = sizeOf(leadingB);
  if (batchA !== batchB && batchA !== 1 && batchB !== 1) return null;
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [M, K] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [depth, N] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (K !== depth) throw new Error(`matMul: inner dimensions of [${a.shape}] and [${b.shape}] do not match.`);
  const shape = [...(batchA >= batchB ? leadingA : leadingB), M, N];
  const y = backend.allocate(sizeOf(shape));
  if (y.length === 0) return backend.output(shape, y);
  if (K === 0) return null;
  // One matrix b under many a: their rows are one long matrix.
  const joined = batchB === 1 && !transposeA;
  const [factor, form] =
    batchB === 1 ? secondFactor(backend, b, [M * batchA, K, N], transposeB) : [backend.floats(b), FLOATS];
  kernels.matmul(
    backend.floats(a),
    factor,
    y,
    bias ? backend.floats(bias) : null,
    joined ? M * batchA : M,
    N,
    K,
    transposeA ? 1 : K,
    transposeA ? M : 1,
    transposeB ? 1 : N,
    transposeB ? K : 1,
    activation,
    joined ? 1 : Math.max(batchA, batchB),
    batchA === 1 ? 0 : M * K,
    batchB === 1 ? 0 : K * N,
    form,
  );
  return backend.output(shape, y);
}

const batchMatMul: Override = (call) => {
  const { a, b } = call.inputs;
  if (!allFloat(a, b)) return null;
  const { transposeA = false, transposeB = false } = call.attrs;
  return multiply(call, { a, b, transposeA, transposeB, activation: ACTIVATIONS.linear });
};

const fusedMatMul: Override = (call) => {
  const { a, b, bias } = call.inputs;
  const { transposeA = false, transposeB = false } = call.attrs;
  const activation = ACTIVATIONS[call.attrs.activation ?? 'linear'];
  const columns = transposeB ? b.shape[b.shape.length - 2] : b.shape[b.shape.length - 1];
  if (!allFloat(a, b, bias) || activation === undefined) return null;
  if (bias && (sizeOf(bias.shape) !== columns || bias.shape[bias.shape.length - 1] !== columns)) return null;
  return multiply(call, { a, b, bias, transposeA, transposeB, activation });
};

export const matmul: Overrides = { BatchMatMul: batchMatMul, _FusedMatMul: fusedMatMul };
