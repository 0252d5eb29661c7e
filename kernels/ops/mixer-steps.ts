import * as tf from '@tensorflow/tfjs';
import { requireDivisor, requireRank, requireShape } from './validate';

/** W [out,in] and an optional bias [out]. */
export interface Projection {
  readonly weight: tf.Tensor2D;
  readonly bias?: tf.Tensor1D;
}

interface MixerStepTensors {
  /** One token of each row [B,1,d]. */
  readonly u: tf.Tensor3D;
  readonly inProj: Projection;
  /** Taps [channels,1,K] and bias [channels]. */
  readonly conv: { readonly weight: tf.Tensor3D; readonly bias?: tf.Tensor1D };
  readonly A_log: tf.Tensor;
  readonly D: tf.Tensor1D;
  /** The last K−1 inputs of the convolution [B,K−1,channels]; 0 where absent. */
  readonly past?: tf.Tensor3D;
  /** The state before this token; 0 where absent. */
  readonly state?: tf.Tensor;
}

/** Inputs of {@link mamba1Step}; A_log [E,N], state [B,E,N]. */
export interface Mamba1StepTensors extends MixerStepTensors {
  readonly xProj: Projection;
  readonly dtProj: Projection;
  readonly outProj: Projection;
}

/** Inputs of {@link mamba2Step}; dtBias, A_log, D [H], norm [E], state [B,H,P,N]. */
export interface Mamba2StepTensors extends MixerStepTensors {
  readonly dtBias: tf.Tensor1D;
  readonly norm: tf.Tensor1D;
  /** Absent: the result is the gated norm [B,1,E], which the caller projects. */
  readonly outProj?: Projection;
}

export interface Mamba2StepOptions {
  readonly groups: number;
  readonly epsilon: number;
  /** Δ is clamped to this range. */
  readonly timeStepLimit: readonly [number, number];
}

export interface MixerStep {
  readonly y: tf.Tensor3D;
  /** What the next token needs: `past` and `state` of its step. */
  readonly past: tf.Tensor3D;
  readonly state: tf.Tensor;
}

/** Names under which a device may register a mixer's step. */
export type MixerStepKernel = 'Mamba1Step' | 'Mamba2Step';

/** More rows than this are better served by the operations of the mixer one by one. */
export const MOST_ROWS_OF_A_STEP = 8;

/** Whether the current device has a kernel for the step; elsewhere a caller takes the mixer's operations one by one. */
export const hasMixerStep = (kernel: MixerStepKernel): boolean => tf.getKernel(kernel, tf.getBackend()) !== undefined;

/**
 * One token of a Mamba-1 mixer (spec A1) for each row, from u to W_out (y ⊙ SiLU(z)), in one kernel: what decoding pays
 * for is then reading the weights. The value is that of the operations one by one, to rounding. No gradient.
 * Only where `hasMixerStep('Mamba1Step')`. Cost: one pass over the weights and the state.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function mamba1Step(t: Mamba1StepTensors): MixerStep {
  const op = 'mamba1Step';
  const [B, , d] = requireRank(op, 'u', t.u, 'B,1,d');
  const [E, N] = requireRank(op, 'A_log', t.A_log, 'E,N');
  const [, R] = requireRank(op, 'dtProj', t.dtProj.weight, 'E,R');
  requireShape(op, 'u', t.u, 'B,1,d', [B, 1, d]);
  requireProjection(op, 'inProj', t.inProj, '2E,d', [2 * E, d]);
  requireProjection(op, 'xProj', t.xProj, 'R+2N,E', [R + 2 * N, E]);
  requireProjection(op, 'dtProj', t.dtProj, 'E,R', [E, R]);
  requireProjection(op, 'outProj', t.outProj, 'd,E', [d, E]);
  requireShape(op, 'D', t.D, 'E', [E]);
  requireMemory(op, t, E, 'B,E,N', [B, E, N]);
  return run('Mamba1Step', t, { xProj: t.xProj, dtProj: t.dtProj, outProj: t.outProj }, {});
}

/**
 * One token of a Mamba-2 mixer (spec A2) for each row, from u to the gated norm or, with `outProj`, to the mixer's
 * output; everything else as {@link mamba1Step} has it.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function mamba2Step(t: Mamba2StepTensors, { groups, epsilon, timeStepLimit }: Mamba2StepOptions): MixerStep {
  const op = 'mamba2Step';
  const [B, , d] = requireRank(op, 'u', t.u, 'B,1,d');
  const [H] = requireRank(op, 'A_log', t.A_log, 'H');
  const [E] = requireRank(op, 'norm', t.norm, 'E');
  requireShape(op, 'u', t.u, 'B,1,d', [B, 1, d]);
  requireDivisor(op, 'H', H, E);
  requireDivisor(op, 'G', groups, H);
  const [channels] = requireRank(op, 'conv', t.conv.weight, 'E+2GN,1,K');
  const N = (channels - E) / (2 * groups);
  requireProjection(op, 'inProj', t.inProj, '2E+2GN+H,d', [E + channels + H, d]);
  if (t.outProj) requireProjection(op, 'outProj', t.outProj, 'd,E', [d, E]);
  requireShape(op, 'dtBias', t.dtBias, 'H', [H]);
  requireShape(op, 'D', t.D, 'H', [H]);
  requireMemory(op, t, channels, 'B,H,P,N', [B, H, E / H, N]);
  const [low, high] = timeStepLimit;
  const attributes = { groups, epsilon, low, high: Math.min(high, 3e38) };
  return run('Mamba2Step', t, { outProj: t.outProj }, attributes, { dtBias: t.dtBias, norm: t.norm });
}

function requireProjection(
  op: string,
  name: string,
  { weight, bias }: Projection,
  letters: string,
  sizes: readonly number[],
): void {
  requireShape(op, name, weight, letters, sizes);
  if (bias) requireShape(op, `bias of ${name}`, bias, letters.split(',')[0], [sizes[0]]);
}

function requireMemory(
  op: string,
  { u, conv, past, state }: MixerStepTensors,
  channels: number,
  letters: string,
  sizes: readonly number[],
): void {
  const K = conv.weight.shape[2];
  requireShape(op, 'conv', conv.weight, 'channels,1,K', [channels, 1, K]);
  if (conv.bias) requireShape(op, 'bias of conv', conv.bias, 'channels', [channels]);
  if (past) requireShape(op, 'past', past, 'B,K-1,channels', [u.shape[0], K - 1, channels]);
  if (state) requireShape(op, 'state', state, letters, sizes);
}

/** Weights and biases go to the kernel as `inProj`, `inProjBias`, …; what is absent is left out. */
function run(
  kernel: MixerStepKernel,
  { u, inProj, conv, A_log, D, past, state }: MixerStepTensors,
  projections: Readonly<Record<string, Projection | undefined>>,
  attributes: Readonly<Record<string, number>>,
  vectors: Readonly<Record<string, tf.Tensor>> = {},
): MixerStep {
  const inputs: Record<string, tf.Tensor> = { u, A_log, D, ...vectors };
  for (const [name, pair] of Object.entries({ inProj, conv, ...projections })) {
    if (!pair) continue;
    inputs[name] = pair.weight;
    if (pair.bias) inputs[`${name}Bias`] = pair.bias;
  }
  if (past) inputs.past = past;
  if (state) inputs.state = state;
  const outputs = tf.engine().runKernel(kernel, inputs, attributes) as tf.Tensor[];
  return { y: outputs[0] as tf.Tensor3D, past: outputs[1] as tf.Tensor3D, state: outputs[2] };
}
