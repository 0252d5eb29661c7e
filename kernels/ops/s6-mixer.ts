import * as tf from '@tensorflow/tfjs';
import { hasForward, type MixerMemory, type MixerOutput, runFrom } from './mixer-memory';
import { requireRank, requireShape } from './validate';

/** What {@link s6Mixer} reads; all float32. */
export interface S6MixerTensors {
  /** [x | z] of every token, [B,L,2E]. */
  readonly projected: tf.Tensor3D;
  /** [E,1,K] */
  readonly convWeight: tf.Tensor3D;
  /** [E] */
  readonly convBias?: tf.Tensor1D;
  /** [R+2N,E], giving [δ | B | C] */
  readonly xProj: tf.Tensor2D;
  /** [E,R] */
  readonly dtProj: tf.Tensor2D;
  /** [E] */
  readonly dtBias?: tf.Tensor1D;
  /** [E,N] */
  readonly A_log: tf.Tensor2D;
  /** [E] */
  readonly D: tf.Tensor1D;
}

/** Whether the current device has the kernel and nobody asks for gradients; otherwise a caller takes the mixer's operations one by one. */
export const hasS6Mixer = (): boolean => hasForward('S6Mixer');

/** The same of `s6MixerWithState`. */
export const hasS6MixerWithState = (): boolean => hasForward('S6MixerWithState');

/**
 * A Mamba-1 mixer between its projections (equations A1, steps 2–5): the convolution, δ, Δ, B, C, the scan and its gate in one
 * kernel, in which operands are read where the product before wrote them. Result [B,L,E]. No gradient. Only where `hasS6Mixer()`.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function s6Mixer(inputs: S6MixerTensors): tf.Tensor3D {
  const { named } = checked('s6Mixer', inputs);
  return (tf.engine().runKernel('S6Mixer', named) as tf.Tensor[])[0] as tf.Tensor3D;
}

/**
 * The same for tokens that follow others: the convolution goes on from the inputs `past`, the scan from `state` [B,E,N], and
 * both are returned for the tokens behind these. Only where `hasS6MixerWithState()`.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function s6MixerWithState(inputs: S6MixerTensors, memory: MixerMemory): MixerOutput {
  const { named, batch, E, N, K } = checked('s6MixerWithState', inputs);
  const shape = { past: [batch, K - 1, E], state: [batch, E, N], letters: 'B,E,N' } as const;
  return runFrom(memory, shape, 'S6MixerWithState', named);
}

function checked(op: string, inputs: S6MixerTensors) {
  const { projected, convWeight, convBias, xProj, dtProj, dtBias, A_log, D } = inputs;
  const [batch, L] = requireRank(op, 'projected', projected, 'B,L,2E');
  const [E, N] = requireRank(op, 'A_log', A_log, 'E,N');
  const [, R] = requireRank(op, 'dtProj', dtProj, 'E,R');
  const [, , K] = requireRank(op, 'convWeight', convWeight, 'E,1,K');
  requireShape(op, 'projected', projected, 'B,L,2E', [batch, L, 2 * E]);
  requireShape(op, 'convWeight', convWeight, 'E,1,K', [E, 1, K]);
  if (convBias) requireShape(op, 'convBias', convBias, 'E', [E]);
  requireShape(op, 'xProj', xProj, 'R+2N,E', [R + 2 * N, E]);
  requireShape(op, 'dtProj', dtProj, 'E,R', [E, R]);
  if (dtBias) requireShape(op, 'dtBias', dtBias, 'E', [E]);
  requireShape(op, 'D', D, 'E', [E]);
  const named: Record<string, tf.Tensor> = {
    projected,
    convWeight,
    xProj,
    dtProj,
    A_log,
    D,
    ...(convBias && { convBias }),
    ...(dtBias && { dtBias }),
  };
  return { named, batch, E, N, K };
}
