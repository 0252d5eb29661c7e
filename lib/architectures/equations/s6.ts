import * as tf from '@tensorflow/tfjs';
import { type SelectiveScanTensors, selectiveScan, selectiveScanWithState } from '@/kernels/ops';
import type { Tap } from '../tap';
import type { Weights } from '../weights';
import { linear, silu, splitLast } from './nn';
import { at, explicitPositions, scanInKernel, scanInTheOpen } from './states';

/** The parameters of one selective scan; DiffS6 has two sets of them in one mixer. */
export interface S6Weights {
  readonly xProj: Weights;
  readonly dtProj: Weights;
  readonly A_log: tf.Tensor2D;
  readonly D: tf.Tensor1D;
}

/** A norm of δ, B or C before they are used. */
export type Normed = (value: tf.Tensor3D, of: 'dt' | 'b' | 'c') => tf.Tensor3D;

const AFTER_DELTA = ['hook_delta', 'hook_y', 'hook_ssm_output', 'hook_after_skip'];

/**
 * S6, the selective scan of Mamba-1 with its gate (equations A1, steps 3–5 without the output projection):
 * x, z [B,L,E] → (C·S + D x) ⊙ SiLU(z) [B,L,E], where S_t = exp(Δ_t A) S_{t−1} + Δ_t B_t x_t.
 * Cost O(B L E N). Intermediate tensors exist only where `tap` asks for them.
 *
 * @param normed what FalconMamba and Jamba do to δ, B and C before they are used
 */
export function s6(x: tf.Tensor3D, z: tf.Tensor3D, w: S6Weights, N: number, tap: Tap, normed?: Normed): tf.Tensor3D {
  const R = w.dtProj('weight').shape[1] as number;
  const [delta1, ...projected] = splitLast(linear(x, w.xProj), [R, N, N]);
  const lowRank = tap.at('hook_delta_1', delta1);
  const delta2 = tap.at(
    'hook_delta_2',
    linear(normed ? tap.at('hook_dt_norm', normed(lowRank, 'dt')) : lowRank, w.dtProj),
  );
  const [B0, C0] = normed ? [normed(projected[0], 'b'), normed(projected[1], 'c')] : projected;

  const positions = explicitPositions(tap, x.shape[1]);
  const fused = positions === null && !AFTER_DELTA.some((point) => tap.wants(point));
  const delta = fused ? delta2 : tap.at('hook_delta', tf.softplus(delta2));
  const A = tap.at('hook_A', tf.exp(w.A_log).neg() as tf.Tensor2D);
  if (fused) {
    const [B, C] = [tap.at('hook_B', B0), tap.at('hook_C', C0)];
    return kernelScan({ x, delta, A, B, C, D: w.D, z }, true, tap);
  }

  const y =
    positions === null
      ? kernelScan({ x, delta, A, B: tap.at('hook_B', B0), C: tap.at('hook_C', C0) }, false, tap)
      : statefulScan(x, delta, A, B0, C0, positions, tap);
  const ssmOutput = tap.at('hook_ssm_output', tap.at('hook_y', y).add(x.mul(w.D)) as tf.Tensor3D);
  return tap.at('hook_after_skip', ssmOutput.mul(silu(z)) as tf.Tensor3D);
}

function kernelScan(inputs: SelectiveScanTensors, softplus: boolean, tap: Tap): tf.Tensor3D {
  return scanInKernel(
    inputs,
    tap,
    (tensors) => selectiveScan(tensors, { softplus }),
    (tensors) => selectiveScanWithState(tensors, { softplus }),
  );
}

/** The recurrence with Ā, B̄ and the states [B,E,N] as tensors that hooks can read and replace. */
function statefulScan(
  x: tf.Tensor3D,
  delta: tf.Tensor3D,
  A: tf.Tensor2D,
  B0: tf.Tensor3D,
  C0: tf.Tensor3D,
  positions: ReadonlySet<number>,
  tap: Tap,
): tf.Tensor3D {
  const A_bar = tap.wants('hook_A_bar') && tap.at('hook_A_bar', tf.exp(delta.expandDims(3).mul(A)));
  const B = tap.at('hook_B', B0);
  const B_bar = tap.wants('hook_B_bar') && tap.at('hook_B_bar', delta.expandDims(3).mul(B.expandDims(2)));
  const C = tap.at('hook_C', C0);
  const decay = (t: number) => (A_bar ? at(A_bar, t) : tf.exp(at(delta, t).expandDims(2).mul(A)));
  const write = (t: number) => (B_bar ? at(B_bar, t) : at(delta, t).expandDims(2).mul(at(B, t).expandDims(1)));
  const recurrence = {
    L: x.shape[1],
    decay,
    input: (t: number) => write(t).mul(at(x, t).expandDims(2)),
    read: (h: tf.Tensor, t: number) => tf.sum(h.mul(at(C, t).expandDims(1)), 2),
  };
  return scanInTheOpen(recurrence, positions, tap) as tf.Tensor3D;
}
