import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import type { NativeBackend } from '../backend';
import type { Overrides } from '../override';
import { allocateShapes, optionalFloats } from './operands';

/** A matrix where it is, and in which 16 bits that is, if any. */
function matrix(backend: NativeBackend, tensor: tf.TensorInfo): [Float32Array | Uint16Array, number] {
  const halves = backend.halves(tensor);
  return [halves ?? backend.floats(tensor), backend.halfForm(tensor)];
}

/** The mixers' steps of `kernels/ops`; inputs were checked there. */
export const mixerSteps: Overrides = {
  Mamba1Step: ({ backend, inputs: t, attrs: { blockEpsilon } }) => {
    const [B, , d] = t.u.shape;
    const [E, N] = t.A_log.shape;
    const [, , K] = t.conv.shape;
    const shapes = [t.u.shape, [B, K - 1, E], [B, E, N]];
    const outputs = allocateShapes(backend, shapes);
    const optional = (tensor: tf.TensorInfo | undefined) => optionalFloats(backend, tensor);
    const [inProj, halvesIn] = matrix(backend, t.inProj);
    const [xProj, halvesX] = matrix(backend, t.xProj);
    const [dtProj, halvesDt] = matrix(backend, t.dtProj);
    const [outProj, halvesOut] = matrix(backend, t.outProj);
    kernels.mamba1Step(
      backend.floats(t.u),
      inProj,
      optional(t.inProjBias),
      backend.floats(t.conv),
      optional(t.convBias),
      xProj,
      optional(t.xProjBias),
      dtProj,
      optional(t.dtProjBias),
      backend.floats(t.A_log),
      backend.floats(t.D),
      outProj,
      optional(t.outProjBias),
      optional(t.past),
      optional(t.state),
      optional(t.blockNorm),
      ...outputs,
      ...[B, d, E, N, t.dtProj.shape[1], K, halvesIn, halvesX, halvesDt, halvesOut, blockEpsilon],
    );
    return outputs.map((values, i) => backend.output(shapes[i], values));
  },

  Mamba2Step: ({ backend, inputs: t, attrs: { groups, epsilon, low, high, blockEpsilon } }) => {
    const [B, , d] = t.u.shape;
    const [H] = t.A_log.shape;
    const [E] = t.norm.shape;
    const [channels, , K] = t.conv.shape;
    const N = (channels - E) / (2 * groups);
    const shapes = [
      [B, 1, t.outProj ? d : E],
      [B, K - 1, channels],
      [B, H, E / H, N],
    ];
    const outputs = allocateShapes(backend, shapes);
    const optional = (tensor: tf.TensorInfo | undefined) => optionalFloats(backend, tensor);
    const [inProj, halvesIn] = matrix(backend, t.inProj);
    const [outProj, halvesOut] = t.outProj ? matrix(backend, t.outProj) : [null, 0];
    kernels.mamba2Step(
      backend.floats(t.u),
      inProj,
      optional(t.inProjBias),
      backend.floats(t.conv),
      optional(t.convBias),
      backend.floats(t.dtBias),
      backend.floats(t.A_log),
      backend.floats(t.D),
      backend.floats(t.norm),
      outProj,
      optional(t.outProjBias),
      optional(t.past),
      optional(t.state),
      optional(t.blockNorm),
      ...outputs,
      ...[B, d, E, H, groups, N, K, low, high, epsilon, halvesIn, halvesOut, blockEpsilon],
    );
    return outputs.map((values, i) => backend.output(shapes[i], values));
  },
};
