import * as tf from '@tensorflow/tfjs';
import type { SsdMixerParameters } from './ssd-mixer';
import { OperandError, requireDivisor, requireRank, requireShape } from './validate';

/** A Mamba-2 mixer with its projections. */
export interface SsdBlockMixer extends SsdMixerParameters {
  /** [2E+2·G·N+H,d], its rows [z | x | B | C | dt] */
  readonly inProj: tf.Tensor2D;
  /** [d,E] */
  readonly outProj: tf.Tensor2D;
}

/** What {@link ssdBlock} reads; all float32. */
export interface SsdBlockTensors {
  /** The residual stream [B,L,d]. */
  readonly h: tf.Tensor3D;
  /** [d] */
  readonly norm: tf.Tensor1D;
  readonly mixers: readonly [SsdBlockMixer, SsdBlockMixer?];
  /** Of the second mixer's output, one number or [d]. */
  readonly share?: tf.Tensor;
  /** [d] */
  readonly subln?: tf.Tensor1D;
}

export interface SsdBlockOptions {
  /** Of one mixer. */
  readonly groups: number;
  /** ε of the block's norm, of the mixers' and of the difference's. */
  readonly epsilons: readonly [block: number, mixer: number, subln: number];
  /** Factor of what is added to the residual stream. */
  readonly scale: number;
}

/** Whether the current device has the kernel. */
export const hasSsdBlock = (): boolean => tf.getKernel('SsdBlock', tf.getBackend()) !== undefined;

/**
 * A whole block around one Mamba-2 mixer, or around the weighted sum of two, with Δ not clamped and projections without biases:
 *
 *     h + scale · M₁(u)                               u = RMS(h; norm)
 *     h + scale · (M₁(u) + share · M₂(u))             of which the sum goes through RMS(·; subln) where there is a subln
 *
 * Two mixers run as one of twice the width, heads and groups, with `share` in the output projection. Result [B,L,d]; differentiable in
 * all inputs, and keeps 4E + 4·G·N + 2H floats a token and mixer for that (d more with a subln). Only where `hasSsdBlock()`.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function ssdBlock(inputs: SsdBlockTensors, options: SsdBlockOptions): tf.Tensor3D {
  const named = namedInputs(inputs, options.groups);
  const [names, tensors] = [Object.keys(named), Object.values(named)];
  const { groups, scale, epsilons } = options;
  const attributes = { groups, scale, epsilons: [...epsilons] };
  const byName = (values: readonly tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const block = tf.customGrad((...given) => {
    const save = given.pop() as tf.GradSaveFunc;
    const operands = given as tf.Tensor[];
    const [value, ...kept] = tf.engine().runKernel('SsdBlock', byName(operands), attributes) as tf.Tensor[];
    save([...operands, ...kept]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [projected, mixed, delta, scanned, added] = saved.slice(names.length);
        const states = { projected, mixed, delta, scanned, ...(added && { added }) };
        return tf.engine().runKernel('SsdBlockGrad', { ...byName(saved), ...states, dy }, attributes) as tf.Tensor[];
      },
    };
  });
  return block(...tensors) as tf.Tensor3D;
}

/** Checked tensors by name; those of the second mixer end in _2. */
function namedInputs({ h, norm, mixers, share, subln }: SsdBlockTensors, G: number): Record<string, tf.Tensor> {
  const op = 'ssdBlock';
  const [, , d] = requireRank(op, 'h', h, 'B,L,d');
  requireShape(op, 'norm', norm, 'd', [d]);
  const [first, second] = mixers;
  if ((second === undefined) !== (share === undefined))
    throw new OperandError(`${op}: a second mixer and its share must be given together`);
  const named: Record<string, tf.Tensor> = { h, norm, ...mixerInputs(op, first, d, G) };
  if (second && share) {
    if (share.size !== 1) requireShape(op, 'share', share, 'd', [d]);
    const others = Object.entries(mixerInputs(op, second, d, G));
    for (const [name, tensor] of others) {
      if (tensor.size !== named[name]?.size)
        throw new OperandError(`${op}: the two mixers differ in the size of ${name}`);
      named[`${name}_2`] = tensor;
    }
    named.share = share;
  }
  if (subln) {
    requireShape(op, 'subln', subln, 'd', [d]);
    named.subln = subln;
  }
  return named;
}

function mixerInputs(op: string, mixer: SsdBlockMixer, d: number, G: number): Record<string, tf.Tensor> {
  const { inProj, convWeight, convBias, dtBias, A_log, D, norm, outProj } = mixer;
  const [C, , K] = requireRank(op, 'convWeight', convWeight, 'C,1,K');
  const [E] = requireRank(op, 'mixer norm', norm, 'E');
  const [H] = requireRank(op, 'A_log', A_log, 'H');
  requireShape(op, 'inProj', inProj, 'E+C+H,d', [E + C + H, d]);
  requireShape(op, 'convWeight', convWeight, 'C,1,K', [C, 1, K]);
  if (convBias) requireShape(op, 'convBias', convBias, 'C', [C]);
  requireShape(op, 'dtBias', dtBias, 'H', [H]);
  requireShape(op, 'D', D, 'H', [H]);
  requireShape(op, 'outProj', outProj, 'd,E', [d, E]);
  requireDivisor(op, 'H', H, E);
  requireDivisor(op, 'G', G, H);
  if (C <= E || (C - E) % (2 * G) !== 0)
    throw new OperandError(`${op}: the convolution has ${C} channels; it must have ${E} and 2·G·N, with G = ${G}`);
  return { inProj, convWeight, ...(convBias && { convBias }), dtBias, A_log, D, mixerNorm: norm, outProj };
}
