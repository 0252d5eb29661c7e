import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import { causalConv1d } from '../programs/causal-conv1d';
import { pastInputs } from '../programs/past-inputs';
import { rmsNorm } from '../programs/rms-norm';
import { rowProduct } from '../programs/row-product';
import { selectiveStep } from '../programs/selective-step';
import { ssdStep } from '../programs/ssd-step';
import { sumParts } from '../programs/sum-parts';
import type { Call, Kernel } from './kernel';

/** u, or with the norm of the block around the mixer RMS(u; norm); what is freed later is told apart by the caller. */
function normed(backend: Backend, { inputs: { u, blockNorm }, attrs }: Call): tf.TensorInfo {
  if (!blockNorm) return u;
  return rmsNorm(backend, { x: u, weight: blockNorm, groups: 1, epsilon: attrs.blockEpsilon as number });
}

/** One token of a mixer, or of a block, at a time: as few programs as there are dependences. */
export const mixerSteps = {
  Mamba1Step: (call) => {
    const { backend, inputs: t } = call;
    const [rows] = t.u.shape;
    const [E, N] = t.A_log.shape;
    const R = t.dtProj.shape[1];
    const wide = R + 2 * N;
    const input = normed(backend, call);
    const shape = (columns: number) => [rows, 1, columns];
    const projected = rowProduct(backend, {
      ...{ x: input, weight: t.inProj, bias: t.inProjBias, rows, shape: shape(2 * E) },
    });
    const step = {
      ...{ x: projected, columns: { stride: 2 * E, offset: 0 }, weight: t.conv, bias: t.convBias, past: t.past },
      silu: true,
    };
    const x = causalConv1d(backend, step);
    const past = pastInputs(backend, step);
    const operands = rowProduct(backend, { x, weight: t.xProj, bias: t.xProjBias, rows, shape: shape(wide) });
    const delta = rowProduct(backend, {
      ...{ x: operands, columns: { stride: wide, offset: 0 }, weight: t.dtProj, bias: t.dtProjBias },
      ...{ rows, shape: shape(E) },
    });
    const scan = {
      ...{ x, delta, A: t.A_log, B: operands, C: operands, D: t.D, z: projected, state: t.state },
      ...{ softplus: true, logarithmic: true },
      columns: {
        z: { stride: 2 * E, offset: E },
        B: { stride: wide, offset: R },
        C: { stride: wide, offset: R + N },
      },
    };
    const packed = selectiveStep(backend, scan, rows);
    const state = sumParts(backend, packed, { offset: rows * E, shape: [rows, E, N] });
    const y = projectedOut(call, packed);
    discard(backend, projected, x, operands, delta, packed, t.blockNorm && input);
    return [y, past, state];
  },

  Mamba2Step: (call) => {
    const { backend, inputs: t, attrs } = call;
    const [rows] = t.u.shape;
    const [channels, E, H, G] = [t.conv.shape[0], t.norm.shape[0], t.A_log.shape[0], attrs.groups as number];
    const [N, wide] = [(channels - E) / (2 * G), t.inProj.shape[0]];
    const at = (offset: number, stride = channels) => ({ stride, offset });
    const input = normed(backend, call);
    const projected = rowProduct(backend, {
      ...{ x: input, weight: t.inProj, bias: t.inProjBias, rows, shape: [rows, 1, wide] },
    });
    const step = {
      ...{ x: projected, columns: at(E, wide), weight: t.conv, bias: t.convBias, past: t.past, silu: true },
    };
    const mixed = causalConv1d(backend, step);
    const past = pastInputs(backend, step);
    const ssd = {
      ...{ x: mixed, delta: projected, A: t.A_log, B: mixed, C: mixed, D: t.D, state: t.state },
      mixer: {
        sizes: { batch: rows, L: 1, H, P: E / H, G, N },
        columns: { x: at(0), B: at(E), C: at(E + G * N), delta: at(E + channels, wide) },
        dtBias: t.dtBias,
      },
    };
    const packed = ssdStep(backend, ssd, { low: attrs.low as number, high: attrs.high as number });
    const state = sumParts(backend, packed, { offset: rows * E, shape: [rows, H, E / H, N] });
    const scanned = { ...packed, shape: [rows, 1, E] };
    const gate = { gate: projected, gateColumns: at(0, wide) };
    const gated = rmsNorm(backend, {
      x: scanned,
      weight: t.norm,
      ...gate,
      groups: G,
      epsilon: attrs.epsilon as number,
    });
    const y = t.outProj ? projectedOut(call, gated) : gated;
    discard(backend, projected, mixed, packed, t.blockNorm && input, t.outProj && gated);
    return [y, past, state];
  },
} satisfies Record<string, Kernel>;

/** W_out x, and with the norm of a block u + W_out x. */
function projectedOut({ backend, inputs: t }: Call, x: tf.TensorInfo): tf.TensorInfo {
  const [rows] = t.u.shape;
  const shape = [rows, 1, t.outProj.shape[0]];
  return rowProduct(backend, { x, weight: t.outProj, bias: t.outProjBias, residual: t.blockNorm && t.u, rows, shape });
}
