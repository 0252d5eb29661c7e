import * as tf from '@tensorflow/tfjs';
import { hasForward, type MixerMemory, type MixerOutput, runFrom } from './mixer-memory';
import { OperandError, requireDivisor, requireRank, requireShape } from './validate';

/** The parameters of a Mamba-2 mixer between its projections; all float32. C = E + 2·G·N channels of the convolution, P = E / H. */
export interface SsdMixerParameters {
  /** [C,1,K] */
  readonly convWeight: tf.Tensor3D;
  /** [C] */
  readonly convBias?: tf.Tensor1D;
  /** [H] */
  readonly dtBias: tf.Tensor1D;
  /** [H] */
  readonly A_log: tf.Tensor1D;
  /** [H] */
  readonly D: tf.Tensor1D;
  /** [E] */
  readonly norm: tf.Tensor1D;
}

/** What {@link ssdMixer} reads. */
export interface SsdMixerTensors extends SsdMixerParameters {
  /** [z | x | B | C | dt] of every token, [B,L,E+C+H]. */
  readonly projected: tf.Tensor3D;
}

export interface SsdMixerOptions {
  readonly groups: number;
  /** ε of the gated norm. */
  readonly epsilon: number;
}

/** Whether the current device has the kernel, and its gradient where that is asked for; elsewhere a caller takes the mixer's operations one by one. */
export const hasSsdMixer = (): boolean => {
  const has = (kernel: string) => tf.getKernel(kernel, tf.getBackend()) !== undefined;
  return has('SsdMixer') && (has('SsdMixerGrad') || !tf.engine().isTapeOn());
};

/** Whether the current device has `ssdMixerWithState` and nobody asks for gradients. */
export const hasSsdMixerWithState = (): boolean => hasForward('SsdMixerWithState');

/**
 * A Mamba-2 mixer between its projections (equations A2, steps 2–5), with Δ not clamped: the convolution, softplus, scan and
 * gated norm of `projected` in one kernel, to the last bit what they are one by one. They read and write columns of
 * `projected` and of its gradient where they are, so that nothing is split or joined. Result [B,L,E]; differentiable in all
 * inputs, and keeps 2E + 2·G·N + H floats a token for that. Only where `hasSsdMixer()`.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function ssdMixer(inputs: SsdMixerTensors, { groups: G, epsilon }: SsdMixerOptions): tf.Tensor3D {
  const { named } = checked('ssdMixer', inputs, G);
  const [names, tensors] = [Object.keys(named), Object.values(named)];
  const attributes = { groups: G, epsilon };
  const byName = (values: readonly tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const mixer = tf.customGrad((...given) => {
    const save = given.pop() as tf.GradSaveFunc;
    const operands = given as tf.Tensor[];
    const outputs = tf.engine().runKernel('SsdMixer', byName(operands), attributes) as tf.Tensor[];
    const [value, ...kept] = outputs;
    save([...operands, ...kept]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [mixed, delta, scanned] = saved.slice(names.length);
        const inputs = { ...byName(saved), mixed, delta, scanned, dy };
        return tf.engine().runKernel('SsdMixerGrad', inputs, attributes) as tf.Tensor[];
      },
    };
  });
  return mixer(...tensors) as tf.Tensor3D;
}

/**
 * The same for tokens that follow others: the convolution goes on from the inputs `past`, the scan from `state` [B,H,P,N], and
 * both are returned for the tokens behind these. No gradient. Only where `hasSsdMixerWithState()`.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function ssdMixerWithState(
  inputs: SsdMixerTensors,
  { groups, epsilon }: SsdMixerOptions,
  memory: MixerMemory,
): MixerOutput {
  const { named, batch, C, K, E, H } = checked('ssdMixerWithState', inputs, groups);
  const state = [batch, H, E / H, (C - E) / (2 * groups)];
  const shape = { past: [batch, K - 1, C], state, letters: 'B,H,P,N' } as const;
  return runFrom(memory, shape, 'SsdMixerWithState', named, { groups, epsilon });
}

function checked(op: string, inputs: SsdMixerTensors, G: number) {
  const { projected, convWeight, convBias, dtBias, A_log, D, norm } = inputs;
  const [batch, L] = requireRank(op, 'projected', projected, 'B,L,E+C+H');
  const [C, , K] = requireRank(op, 'convWeight', convWeight, 'C,1,K');
  const [E] = requireRank(op, 'norm', norm, 'E');
  const [H] = requireRank(op, 'A_log', A_log, 'H');
  requireShape(op, 'projected', projected, 'B,L,E+C+H', [batch, L, E + C + H]);
  requireShape(op, 'convWeight', convWeight, 'C,1,K', [C, 1, K]);
  if (convBias) requireShape(op, 'convBias', convBias, 'C', [C]);
  requireShape(op, 'dtBias', dtBias, 'H', [H]);
  requireShape(op, 'D', D, 'H', [H]);
  requireDivisor(op, 'H', H, E);
  requireDivisor(op, 'G', G, H);
  if (C <= E || (C - E) % (2 * G) !== 0)
    throw new OperandError(`${op}: the convolution has ${C} channels; it must have ${E} and 2·G·N, with G = ${G}`);
  const named: Record<string, tf.Tensor> = {
    projected,
    convWeight,
    dtBias,
    A_log,
    D,
    norm,
    ...(convBias && { convBias }),
  };
  return { named, batch, C, K, E, H };
}
