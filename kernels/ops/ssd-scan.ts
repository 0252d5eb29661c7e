import type * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { requireDivisor, requireRank, requireShape } from './validate';

/** Inputs of {@link ssdScan}; all float32. */
export interface SsdScanTensors {
  readonly x: tf.Tensor4D;
  readonly delta: tf.Tensor3D;
  readonly A: tf.Tensor1D;
  readonly B: tf.Tensor4D;
  readonly C: tf.Tensor4D;
  readonly D?: tf.Tensor1D;
  /** The state before the first token [B,H,P,N]; 0 where absent. */
  readonly state?: tf.Tensor4D;
}

/**
 * The SSD recurrence of Mamba-2 (equations A2, step 4), per head h of group g = floor(h/(H/G)):
 *
 *     S_t = exp(Δ_t A_h) S_{t−1} + Δ_t x_t ⊗ B_t[g],   y_t = S_t C_t[g] + D_h x_t
 *
 * x, y [B,L,H,P]; delta [B,L,H], after softplus and clamp; A, D [H]; B, C [B,L,G,N]; state S_{−1} [B,H,P,N]. D and
 * state are optional. Differentiable in all inputs. The evaluation order (chunks or token by token) is the device's choice and changes only rounding.
 *
 * @throws OperandError where shapes or dtypes do not fit, or where G does not divide H.
 */
export function ssdScan(inputs: SsdScanTensors): tf.Tensor4D {
  return scan(inputs, false)[0] as tf.Tensor4D;
}

/**
 * {@link ssdScan} and the state after the last token [B,H,P,N], from which a later call goes on. Differentiable in both.
 *
 * @throws OperandError where shapes or dtypes do not fit, or where G does not divide H.
 */
export function ssdScanWithState(inputs: SsdScanTensors): { y: tf.Tensor4D; state: tf.Tensor4D } {
  const [y, state] = scan(inputs, true) as tf.Tensor4D[];
  return { y, state };
}

function scan(inputs: SsdScanTensors, finalState: boolean) {
  const op = 'ssdScan';
  const [batch, L, H, P] = requireRank(op, 'x', inputs.x, 'B,L,H,P');
  const [, , G, N] = requireRank(op, 'B', inputs.B, 'B,L,G,N');
  requireShape(op, 'delta', inputs.delta, 'B,L,H', [batch, L, H]);
  requireShape(op, 'A', inputs.A, 'H', [H]);
  requireShape(op, 'B', inputs.B, 'B,L,G,N', [batch, L, G, N]);
  requireShape(op, 'C', inputs.C, 'B,L,G,N', [batch, L, G, N]);
  if (inputs.D) requireShape(op, 'D', inputs.D, 'H', [H]);
  requireDivisor(op, 'G', G, H);
  if (inputs.state) requireShape(op, 'state', inputs.state, 'B,H,P,N', [batch, H, P, N]);
  const { x, delta, A, B, C, D, state } = inputs;
  return runKernel('SsdScan', { x, delta, A, B, C, D, state }, { finalState });
}

defineGradient('SsdScan', 'SsdScanGrad', { dys: ['dy', 'dState'] });
