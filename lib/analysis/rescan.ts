import * as tf from '@tensorflow/tfjs';
import { selectiveScan, selectiveScanWithState, ssdScan, ssdScanWithState } from '@/kernels/ops';
import type { S6Inputs } from './s6Inputs';

/** What a scan reads beside its input, of a batch: Δ [B,L,units], A [units,N] or [H], B and C [B,L,(G,)N], D [units]. */
export interface ScanTensors {
  readonly delta: tf.Tensor;
  readonly A: tf.Tensor;
  readonly B: tf.Tensor;
  readonly C: tf.Tensor;
  readonly D?: tf.Tensor;
  /** What it starts from, [B,E,N] or [B,H,P,N]; default 0. */
  readonly state?: tf.Tensor;
}

/** A scan run again with another input x [B,L,n], n a multiple of its heads: y [B,L,n], with D x where D is given. */
export function rescan({ delta, A, B, C, D, state }: ScanTensors, x: tf.Tensor3D): tf.Tensor3D {
  const step = delta as tf.Tensor3D;
  const skip = D as tf.Tensor1D | undefined;
  if (A.rank === 2) {
    const inputs = { x, delta: step, A: A as tf.Tensor2D, B: B as tf.Tensor3D, C: C as tf.Tensor3D, D: skip };
    return state ? selectiveScanWithState({ ...inputs, state: state as tf.Tensor3D }).y : selectiveScan(inputs);
  }
  const [rows, L, n] = x.shape;
  const heads = x.reshape([rows, L, A.size, n / A.size]) as tf.Tensor4D;
  const inputs = { x: heads, delta: step, A: A as tf.Tensor1D, B: B as tf.Tensor4D, C: C as tf.Tensor4D, D: skip };
  const y = state ? ssdScanWithState({ ...inputs, state: state as tf.Tensor4D }).y : ssdScan(inputs);
  return y.reshape([rows, L, n]);
}

/** What a scan of a forward pass read, once for each of `rows` rows; call it inside `tf.tidy`. */
export function scanTensors(inputs: S6Inputs, rows = 1): ScanTensors {
  const { L, E, N, delta, A, B, C } = inputs;
  const tiled = (values: Float32Array, shape: number[]) => repeated(tf.tensor(values, shape), rows);
  if (inputs.family === 'mamba1')
    return {
      delta: tiled(delta, [L, E]),
      A: tf.tensor2d(A, [E, N]),
      B: tiled(B, [L, N]),
      C: tiled(C, [L, N]),
    };
  const { H, G } = inputs;
  return {
    delta: tiled(delta, [L, H]),
    A: tf.tensor1d(A),
    B: tiled(B, [L, G, N]),
    C: tiled(C, [L, G, N]),
  };
}

/** [rows, …] of equal rows. */
export function repeated(values: tf.Tensor, rows: number): tf.Tensor {
  const one = values.expandDims(0);
  return rows === 1 ? one : tf.tile(one, [rows, ...values.shape.map(() => 1)]);
}
