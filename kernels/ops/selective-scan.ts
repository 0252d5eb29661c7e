import type * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { requireRank, requireShape } from './validate';

/** Inputs of {@link selectiveScan}; all float32. */
export interface SelectiveScanTensors {
  readonly x: tf.Tensor3D;
  readonly delta: tf.Tensor3D;
  readonly A: tf.Tensor2D;
  readonly B: tf.Tensor3D;
  readonly C: tf.Tensor3D;
  readonly D?: tf.Tensor1D;
  readonly z?: tf.Tensor3D;
  /** The state before the first token [B,E,N]; 0 where absent. */
  readonly state?: tf.Tensor3D;
}

export interface SelectiveScanOptions {
  /** Δ = softplus(delta), not delta itself. */
  readonly softplus?: boolean;
}

/**
 * The S6 recurrence of Mamba-1 with its fused neighbours (equations A1, steps 3–5):
 *
 *     S_t = exp(Δ_t A) S_{t−1} + Δ_t B_t x_t,   y_t = (C_t·S_t + D x_t) ⊙ SiLU(z_t)
 *
 * x, delta, z, y [B,L,E]; A [E,N]; B, C [B,L,N]; D [E]; state S_{−1} [B,E,N]. D, z and state are optional. With `softplus`, Δ = softplus(delta).
 * Differentiable in all inputs; the backward pass recomputes states from checkpoints, so nothing of size B·L·E·N is kept.
 * Cost: 6 flops and one exponential for each of the B·L·E·N state updates.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function selectiveScan(inputs: SelectiveScanTensors, options: SelectiveScanOptions = {}): tf.Tensor3D {
  return scan(inputs, options, false)[0] as tf.Tensor3D;
}

/**
 * {@link selectiveScan} and the state after the last token [B,E,N], from which a later call goes on: a text read in pieces
 * gives the y and the gradients of the text read at once, to rounding. Differentiable in both results.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function selectiveScanWithState(
  inputs: SelectiveScanTensors,
  options: SelectiveScanOptions = {},
): { y: tf.Tensor3D; state: tf.Tensor3D } {
  const [y, state] = scan(inputs, options, true) as tf.Tensor3D[];
  return { y, state };
}

function scan(inputs: SelectiveScanTensors, { softplus = false }: SelectiveScanOptions, finalState: boolean) {
  const op = 'selectiveScan';
  const [batch, L, E] = requireRank(op, 'x', inputs.x, 'B,L,E');
  const N = requireRank(op, 'A', inputs.A, 'E,N')[1];
  requireShape(op, 'delta', inputs.delta, 'B,L,E', [batch, L, E]);
  requireShape(op, 'A', inputs.A, 'E,N', [E, N]);
  requireShape(op, 'B', inputs.B, 'B,L,N', [batch, L, N]);
  requireShape(op, 'C', inputs.C, 'B,L,N', [batch, L, N]);
  if (inputs.D) requireShape(op, 'D', inputs.D, 'E', [E]);
  if (inputs.z) requireShape(op, 'z', inputs.z, 'B,L,E', [batch, L, E]);
  if (inputs.state) requireShape(op, 'state', inputs.state, 'B,E,N', [batch, E, N]);
  const { x, delta, A, B, C, D, z, state } = inputs;
  return runKernel('SelectiveScan', { x, delta, A, B, C, D, z, state }, { softplus, finalState });
}

defineGradient('SelectiveScan', 'SelectiveScanGrad', { dys: ['dy', 'dState'] });
