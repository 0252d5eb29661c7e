import * as tf from '@tensorflow/tfjs';
import { blockAttention, causalConv1d } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import { biasTerm, type Channels, type FoldedScan, foldedScan, NOTHING, scanned, type Without } from './blockFold';
import type { ScanParameters } from './operator';
import { apply, relativeError } from './reconstruction';
import { type AttentionMap, isMagnitude, type Reduction, requireIndex } from './s6Attention';
import type { S6Inputs } from './s6Inputs';
import { tidied } from './tidied';

/** A map of the whole-block form. */
export interface BlockMap extends AttentionMap {
  /** Of a single channel: what the map leaves out because no token gives it, from the convolution's bias [L]. */
  readonly bias?: Float32Array;
}

/**
 * Whole-block attention of one scan (equations C2, C3, exact form): A_e = diag(gate) (α_e + D_e I) diag(σ(c_e)) M_e
 * maps channel e of the convolution's input to the input of the output projection; for SSD the gate includes the gated
 * norm, its 1/rms held constant. `mean` is signed; `head:h` is the signed mean over the head's channels.
 *
 * Cost: O(E·L²·N) for S6, O(E·L²·K) for SSD; one channel O(L²·N). Memory: one map and the factors, 12 L E bytes.
 * @param without components replaced by the identity, to ablate them
 * @throws InputError where there is no such channel or head
 */
export function blockForm(
  inputs: S6Inputs,
  parameters: ScanParameters,
  reduction: Reduction,
  without: Without = NOTHING,
): BlockMap {
  const { L, E } = inputs;
  const channels = channelsOf(inputs, reduction);
  const count = channels[1] - channels[0];
  const found = tidied(() => {
    const folded = foldedScan(inputs, parameters, without, channels);
    const reduce = reduction.how === 'mean_abs' ? 'sum_abs' : reduction.how === 'max' ? 'max_abs' : 'sum';
    const whole = blockAttention(folded.of, folded.fold, reduce);
    const map = valuesOf(reduce === 'max_abs' || count === 1 ? whole : whole.div(count));
    const reconstructionError = errorOf(inputs, parameters, folded, { reduction, without, channels, map });
    const bias = reduction.how === 'channel' ? valuesOf(biasTerm(folded)) : undefined;
    return { map, reconstructionError, bias };
  });
  const over = reduction.how === 'channel' ? `channel ${reduction.index}` : overOf(reduction, E);
  const missing = without.size === 0 ? '' : `, without ${[...without].join(', ')}`;
  const convention = `whole-block form with D (${partsOf(inputs)})${missing}: ${over}`;
  return { ...found, L, convention, magnitude: isMagnitude(reduction) };
}

const overOf = (reduction: Reduction, E: number) => {
  if (reduction.how === 'mean') return `signed mean over ${E} channels`;
  if (reduction.how === 'head') return `signed mean over the channels of head ${reduction.index}`;
  return `${reduction.how === 'max' ? 'largest' : 'mean of the'} magnitude over ${E} channels`;
};

const partsOf = ({ family }: S6Inputs) =>
  family === 'mamba1' ? 'convolution, σ(c), gate' : 'convolution, σ(c), gate, gated norm frozen';

function channelsOf(inputs: S6Inputs, reduction: Reduction): Channels {
  if (reduction.how === 'channel') {
    requireIndex('channel', reduction.index, inputs.E);
    return [reduction.index, reduction.index + 1];
  }
  if (reduction.how !== 'head') return [0, inputs.E];
  if (inputs.family === 'mamba1')
    throw new InputError('A Mamba-1 scan has no heads: choose mean, mean_abs, max or channel:NUMBER.');
  requireIndex('head', reduction.index, inputs.H);
  return [reduction.index * inputs.P, (reduction.index + 1) * inputs.P];
}

/** The result in memory of its own: a device may reuse what `dataSync` returns. */
export const valuesOf = (tensor: tf.Tensor): Float32Array => (tensor.dataSync() as Float32Array).slice();

interface Claim {
  readonly reduction: Reduction;
  readonly without: Without;
  readonly channels: Channels;
  readonly map: Float32Array;
}

/** ‖got − expected‖ / ‖expected‖ of the map used as what it stands for, as in `reconstructionErrorOf`. */
function errorOf(inputs: S6Inputs, parameters: ScanParameters, folded: FoldedScan, claim: Claim): number {
  const { reduction, without, channels, map } = claim;
  const { L } = inputs;
  if (reduction.how === 'channel') {
    const bias = valuesOf(biasTerm(folded));
    const got = apply(map, valuesOf(folded.x0)).map((value, i) => value + bias[i]);
    const inner = without.size === 0 ? forwardInner(inputs, parameters, folded, channels) : ablatedInner(folded);
    return relativeError(got, inner);
  }
  if (reduction.how === 'mean_abs' || reduction.how === 'max') return errorOfMagnitudes(folded, map, L, reduction.how);
  const signal = tf.mean(folded.x0, 1) as tf.Tensor1D;
  const expected = tf.mean(response(folded, signal.reshape([1, L, 1])), 2);
  return relativeError(apply(map, valuesOf(signal)), valuesOf(expected));
}

/** What the forward pass gave to the output projection, of one channel. */
function forwardInner(
  inputs: S6Inputs,
  parameters: ScanParameters,
  { fold }: FoldedScan,
  channels: Channels,
): Float32Array {
  const { L, E, y, x } = inputs;
  const [channel] = channels;
  const head = inputs.family === 'mamba1' ? channel : Math.floor(channel / inputs.P);
  const target = valuesOf(fold.target);
  const at = (i: number) => i * E + channel;
  return Float32Array.from({ length: L }, (_, i) => target[i] * (y[at(i)] + parameters.D[head] * x[at(i)]));
}

const ablatedInner = (folded: FoldedScan): Float32Array =>
  valuesOf(
    response(folded, folded.x0.expandDims(0) as tf.Tensor3D)
      .squeeze([0])
      .add(biasTerm(folded)),
  );

function errorOfMagnitudes(folded: FoldedScan, map: Float32Array, L: number, how: 'mean_abs' | 'max'): number {
  const sources = [...new Set([0, Math.floor(L / 2), L - 1])];
  const impulses = tf.equal(tf.tensor2d(sources, [sources.length, 1]), tf.range(0, L)).cast('float32');
  const sizes = tf.abs(response(folded, impulses.expandDims(2)));
  const expected = valuesOf(how === 'max' ? tf.max(sizes, 2) : tf.mean(sizes, 2));
  const errors = sources.map((j, k) =>
    relativeError(
      Float64Array.from({ length: L }, (_, i) => map[i * L + j]),
      expected.subarray(k * L, (k + 1) * L),
    ),
  );
  return Math.max(...errors);
}

/** The folded map of every channel applied to signals [batch, L, n or 1], by convolution and scan: [batch,L,n]. */
export function response(folded: FoldedScan, signals: tf.Tensor3D): tf.Tensor3D {
  const { source, taps, target } = folded.fold;
  const [n, K] = taps.shape;
  const [batch, L, width] = signals.shape;
  const wide = width === n ? signals : (tf.tile(signals, [1, 1, n]) as tf.Tensor3D);
  const convolved = causalConv1d(wide, taps.reshape([n, 1, K]), null);
  return scanned(folded, convolved.mul(source).reshape([batch, L, n]) as tf.Tensor3D).mul(target);
}
