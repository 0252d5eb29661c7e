import * as tf from '@tensorflow/tfjs';
import { type MixerMemory, type MixerOutput, runFrom } from './mixer-memory';
import { OperandError, requireDivisor, requireRank, requireShape } from './validate';

/** W [out,in] and an optional bias [out]. */
export interface Projection {
  readonly weight: tf.Tensor2D;
  readonly bias?: tf.Tensor1D;
}

interface MixerWeights {
  readonly inProj: Projection;
  /** Taps [channels,1,K] and bias [channels]. */
  readonly conv: { readonly weight: tf.Tensor3D; readonly bias?: tf.Tensor1D };
  readonly A_log: tf.Tensor;
  readonly D: tf.Tensor1D;
  /**
   * The norm [d] of the block around the mixer. With it the step is the whole block, u + mixer(RMS(u; norm)); without it
   * the mixer alone.
   */
  readonly block?: { readonly norm: tf.Tensor1D; readonly epsilon: number };
}

/** The weights of {@link mamba1Step}; A_log [E,N]. They are checked once. */
export interface Mamba1StepWeights extends MixerWeights {
  readonly xProj: Projection;
  readonly dtProj: Projection;
  readonly outProj: Projection;
}

/** The weights of {@link mamba2Step}; dtBias, A_log, D [H], norm [E]. They are checked once. */
export interface Mamba2StepWeights extends MixerWeights {
  readonly dtBias: tf.Tensor1D;
  readonly norm: tf.Tensor1D;
  readonly groups: number;
  readonly epsilon: number;
  /** Δ is clamped to this range. */
  readonly timeStepLimit: readonly [number, number];
  /** Absent: the result is the gated norm [B,1,E], which the caller projects. */
  readonly outProj?: Projection;
}

/** One token of each row, and what those before it left. */
export interface MixerStepInput extends MixerMemory {
  /** [B,1,d] */
  readonly u: tf.Tensor3D;
}

/** Names under which a device may register a mixer's step. */
export type MixerStepKernel = 'Mamba1Step' | 'Mamba2Step';

/** More rows than this are better served by the operations of the mixer one by one. */
export const MOST_ROWS_OF_A_STEP = 8;

/** Whether the current device has a kernel for the step; elsewhere a caller takes the mixer's operations one by one. */
export const hasMixerStep = (kernel: MixerStepKernel): boolean => tf.getKernel(kernel, tf.getBackend()) !== undefined;

/**
 * One token of a Mamba-1 mixer (equations A1) for each row, from u to W_out (y ⊙ SiLU(z)), in one kernel: what decoding
 * pays for is then reading the weights. The value is that of the operations one by one, to rounding. No gradient.
 * Only where `hasMixerStep('Mamba1Step')`. Cost: one pass over the weights and the state.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function mamba1Step(weights: Mamba1StepWeights, input: MixerStepInput): MixerOutput {
  return run(readied(weights, readyMamba1), input);
}

/**
 * One token of a Mamba-2 mixer (equations A2) for each row, from u to the gated norm or, with `outProj`, to the mixer's
 * output; everything else as {@link mamba1Step} has it.
 *
 * @throws OperandError where shapes or dtypes do not fit.
 */
export function mamba2Step(weights: Mamba2StepWeights, input: MixerStepInput): MixerOutput {
  return run(readied(weights, readyMamba2), input);
}

/** A kernel with the weights that were checked, and the shapes of one row of its other inputs. */
interface Ready {
  readonly kernel: MixerStepKernel;
  readonly weights: Readonly<Record<string, tf.Tensor>>;
  readonly attributes: tf.NamedAttrMap;
  readonly token: readonly number[];
  readonly past: readonly number[];
  readonly state: readonly number[];
}

const known = new WeakMap<object, Ready>();

/** A step is short: what depends on the weights alone is not done again for every token. */
function readied<W extends object>(weights: W, make: (weights: W) => Ready): Ready {
  let ready = known.get(weights);
  if (!ready) {
    ready = make(weights);
    known.set(weights, ready);
  }
  return ready;
}

function readyMamba1(w: Mamba1StepWeights): Ready {
  const op = 'mamba1Step';
  const [E, N] = requireRank(op, 'A_log', w.A_log, 'E,N');
  const [d, R] = [w.inProj.weight.shape[1], w.dtProj.weight.shape[1]];
  requireProjection(op, 'inProj', w.inProj, '2E,d', [2 * E, d]);
  requireProjection(op, 'xProj', w.xProj, 'R+2N,E', [R + 2 * N, E]);
  requireProjection(op, 'dtProj', w.dtProj, 'E,R', [E, R]);
  requireProjection(op, 'outProj', w.outProj, 'd,E', [d, E]);
  requireShape(op, 'D', w.D, 'E', [E]);
  const projections = { xProj: w.xProj, dtProj: w.dtProj, outProj: w.outProj };
  return {
    kernel: 'Mamba1Step',
    weights: { D: w.D, ...shared(op, w, E, d), ...byName(projections) },
    attributes: { blockEpsilon: w.block?.epsilon ?? 0 },
    token: [1, d],
    past: [w.conv.weight.shape[2] - 1, E],
    state: [E, N],
  };
}

function readyMamba2(w: Mamba2StepWeights): Ready {
  const op = 'mamba2Step';
  const { groups, epsilon, timeStepLimit, dtBias, norm } = w;
  const [H] = requireRank(op, 'A_log', w.A_log, 'H');
  const [E] = requireRank(op, 'norm', norm, 'E');
  const [d, channels] = [w.inProj.weight.shape[1], w.conv.weight.shape[0]];
  if (w.block && !w.outProj) throw new OperandError(`${op}: the step of a block needs outProj`);
  requireDivisor(op, 'H', H, E);
  requireDivisor(op, 'G', groups, H);
  requireDivisor(op, '2G', 2 * groups, channels - E);
  requireProjection(op, 'inProj', w.inProj, '2E+2GN+H,d', [E + channels + H, d]);
  if (w.outProj) requireProjection(op, 'outProj', w.outProj, 'd,E', [d, E]);
  requireShape(op, 'dtBias', dtBias, 'H', [H]);
  requireShape(op, 'D', w.D, 'H', [H]);
  const [low, high] = timeStepLimit;
  return {
    kernel: 'Mamba2Step',
    weights: { D: w.D, dtBias, norm, ...shared(op, w, channels, d), ...byName({ outProj: w.outProj }) },
    attributes: { groups, epsilon, low, high: Math.min(high, 3e38), blockEpsilon: w.block?.epsilon ?? 0 },
    token: [1, d],
    past: [w.conv.weight.shape[2] - 1, channels],
    state: [H, E / H, (channels - E) / (2 * groups)],
  };
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

function shared(op: string, { inProj, conv, A_log, block }: MixerWeights, channels: number, d: number) {
  requireShape(op, 'conv', conv.weight, 'channels,1,K', [channels, 1, conv.weight.shape[2]]);
  if (conv.bias) requireShape(op, 'bias of conv', conv.bias, 'channels', [channels]);
  if (block) requireShape(op, 'norm of the block', block.norm, 'd', [d]);
  return { A_log, ...byName({ inProj, conv }), ...(block ? { blockNorm: block.norm } : {}) };
}

/** Weights and biases go to the kernel as `inProj`, `inProjBias`, …; what is absent is left out. */
function byName(pairs: Readonly<Record<string, { weight: tf.Tensor; bias?: tf.Tensor } | undefined>>) {
  const named: Record<string, tf.Tensor> = {};
  for (const [name, pair] of Object.entries(pairs)) {
    if (pair) named[name] = pair.weight;
    if (pair?.bias) named[`${name}Bias`] = pair.bias;
  }
  return named;
}

function run({ kernel, weights, attributes, ...shapes }: Ready, { u, ...memory }: MixerStepInput): MixerOutput {
  const [B] = u.shape;
  requireShape(kernel, 'u', u, 'B,1,d', [B, ...shapes.token]);
  const letters = kernel === 'Mamba1Step' ? 'B,E,N' : 'B,H,P,N';
  const shape = { past: [B, ...shapes.past], state: [B, ...shapes.state], letters } as const;
  return runFrom(memory, shape, kernel, { ...weights, u }, attributes);
}
