import * as tf from '@tensorflow/tfjs';
import { type BlockFoldTensors, type BlockScan, causalConv1d, silu } from '@/kernels/ops';
import type { BlockComponent } from '@/lib/vocabulary';
import type { ScanParameters } from './operator';
import { repeated, rescan } from './rescan';
import type { S6Inputs } from './s6Inputs';
import { tidied } from './tidied';

/** Parts of the whole-block form (equations C2, C3) that can be left out. */
export type Without = ReadonlySet<BlockComponent>;

export const NOTHING: Without = new Set();

/** Channels [from, to) of one scan; for SSD, whole heads or a single channel. */
export type Channels = readonly [from: number, to: number];

/** One scan and what is folded around it, for some of its channels. */
export interface FoldedScan {
  readonly of: BlockScan;
  readonly fold: BlockFoldTensors;
  /** x before the convolution, of these channels [L,n]. */
  readonly x0: tf.Tensor2D;
  /** The convolution's bias [n], where it is folded in and exists. */
  readonly convBias?: tf.Tensor1D;
}

/**
 * The factors of A_e = diag(target) (α_e + D_e I) diag(source) M_e for channels of a scan, as tensors: call it inside
 * `tf.tidy`. What is left out becomes the identity.
 */
export function foldedScan(
  inputs: S6Inputs,
  parameters: ScanParameters,
  without: Without = NOTHING,
  channels: Channels = [0, inputs.E],
): FoldedScan {
  const { L, E } = inputs;
  const [from, to] = channels;
  const n = to - from;
  const columns = (values: Float32Array) => tf.tensor2d(columnsOf(values, L, E, channels), [L, n]);
  const { K } = parameters;
  const weights = parameters.taps.slice(from * K, to * K);
  const bias = parameters.convBias && tf.tensor1d(parameters.convBias.slice(from, to));
  const x0 = columns(inputs.x0);
  const convolved = causalConv1d(x0.expandDims(0) as tf.Tensor3D, tf.tensor3d(weights, [n, 1, K]), bias ?? null);
  const source = without.has('activation') ? tf.ones([L, n]) : tf.sigmoid(convolved.squeeze([0]));
  const taps = without.has('conv') ? tf.ones([n, 1]) : tf.tensor2d(weights, [n, K]);
  let target = without.has('gate') ? tf.ones([L, n]) : silu(columns(inputs.z));
  if (parameters.norm && !without.has('norm'))
    target = normScaled(target as tf.Tensor2D, inputs, parameters, channels).mul(
      tf.tensor1d(parameters.norm.slice(from, to)),
    );
  return {
    of: blockScan(inputs, channels),
    fold: {
      source: source as tf.Tensor2D,
      taps: taps as tf.Tensor2D,
      target: target as tf.Tensor2D,
      D: without.has('D') ? undefined : tf.tensor1d(skipsOf(inputs, parameters, channels)),
    },
    x0,
    convBias: without.has('conv') ? undefined : bias,
  };
}

/** The scan of some channels alone. */
export function blockScan(inputs: S6Inputs, [from, to]: Channels): BlockScan {
  const { L, E, N } = inputs;
  const n = to - from;
  if (inputs.family === 'mamba1') {
    const delta = tf.tensor2d(columnsOf(inputs.delta, L, E, [from, to]), [L, n]);
    const A = tf.tensor2d(inputs.A.slice(from * N, to * N), [n, N]);
    return { kind: 'S6', scan: { delta, A, B: tf.tensor2d(inputs.B, [L, N]), C: tf.tensor2d(inputs.C, [L, N]) } };
  }
  const { H, G } = inputs;
  const heads = headsOf(inputs, [from, to]);
  const delta = tf.tensor2d(columnsOf(inputs.delta, L, H, heads), [L, heads[1] - heads[0]]);
  const A = tf.tensor1d(inputs.A.slice(...heads));
  const whole = heads[1] - heads[0] === H;
  const groups: Channels = whole ? [0, G] : [groupOf(inputs, heads[0]), groupOf(inputs, heads[0]) + 1];
  const group = (values: Float32Array) =>
    tf.tensor3d(columnsOf(values, L, G * N, [groups[0] * N, groups[1] * N]), [L, groups[1] - groups[0], N]);
  return { kind: 'Ssd', scan: { delta, A, B: group(inputs.B), C: group(inputs.C) } };
}

/** α alone as a folded map: ones for all that would be folded around the channels (S6) or heads (SSD) of a scan. */
export function alone(inputs: S6Inputs): { readonly of: BlockScan; readonly fold: BlockFoldTensors } {
  const units = inputs.family === 'mamba1' ? inputs.E : inputs.H;
  const ones = (rows: number, columns: number) => tf.ones<tf.Rank.R2>([rows, columns]);
  const fold = { source: ones(inputs.L, units), target: ones(inputs.L, units), taps: ones(units, 1) };
  return { of: blockScan(inputs, [0, inputs.E]), fold };
}

type Ssd = S6Inputs & { readonly family: 'mamba2' };

/** The heads that channels [from, to) belong to: all of them, or those of one group. */
const headsOf = ({ P }: Ssd, [from, to]: Channels): Channels => [Math.floor(from / P), Math.ceil(to / P)];

const groupOf = ({ H, G }: Ssd, head: number) => Math.floor(head / (H / G));

function skipsOf(inputs: S6Inputs, { D }: ScanParameters, channels: Channels): Float32Array {
  return D.slice(...(inputs.family === 'mamba1' ? channels : headsOf(inputs, channels)));
}

/** Columns [from, to) of a row-major [rows, width] array; the array itself where that is all of it. */
function columnsOf(values: Float32Array, rows: number, width: number, [from, to]: Channels): Float32Array {
  const n = to - from;
  if (n === width) return values;
  const columns = new Float32Array(rows * n);
  for (let i = 0; i < rows; i++) columns.set(values.subarray(i * width + from, i * width + to), i * n);
  return columns;
}

const normScales = new WeakMap<S6Inputs, Float32Array>();

/** [L,n] over the rms of the gated norm at each position, taken over the whole group of each channel. */
function normScaled(target: tf.Tensor2D, inputs: S6Inputs, parameters: ScanParameters, [from, to]: Channels) {
  const { L, E } = inputs;
  const G = inputs.family === 'mamba2' ? inputs.G : 1;
  const scales = normScales.get(inputs) ?? groupScales(inputs, parameters, G);
  normScales.set(inputs, scales);
  const [first, last] = [from, to - 1].map((channel) => Math.floor(channel / (E / G)));
  const groups = last - first + 1;
  const ofGroups = tf.tensor2d(columnsOf(scales, L, G, [first, last + 1]), [L, groups]).expandDims(2);
  return target
    .reshape([L, groups, (to - from) / groups])
    .mul(ofGroups)
    .reshape([L, to - from]);
}

function groupScales(inputs: S6Inputs, parameters: ScanParameters, G: number): Float32Array {
  const { L, E } = inputs;
  return tidied(() => {
    const gate = silu(tf.tensor2d(inputs.z, [L, E]));
    const scan = forwardScan(inputs, parameters);
    const gated = (parameters.normFirst ? scan : scan.mul(gate)).reshape([L, G, E / G]);
    return tf
      .rsqrt(tf.mean(tf.square(gated), 2).add(parameters.epsilon))
      .dataSync()
      .slice() as Float32Array;
  });
}

/** y + D x of the forward pass [L,E]. */
export function forwardScan(inputs: S6Inputs, { D }: ScanParameters): tf.Tensor2D {
  const { L, E } = inputs;
  return tf.tensor2d(inputs.y, [L, E]).add(skipped(inputs, D, tf.tensor2d(inputs.x, [L, E])));
}

/** D x for x [L,E] */
function skipped(inputs: S6Inputs, D: Float32Array, x: tf.Tensor2D): tf.Tensor2D {
  if (inputs.family === 'mamba1') return x.mul(tf.tensor1d(D));
  const { L, E, H, P } = inputs;
  return x
    .reshape([L, H, P])
    .mul(tf.tensor2d(D, [H, 1]))
    .reshape([L, E]);
}

/** (α + D I) applied to signals x [batch,L,n]: the scan itself. */
export function scanned({ of, fold }: FoldedScan, x: tf.Tensor3D): tf.Tensor3D {
  const { delta, A, B, C } = of.scan;
  const [rows] = x.shape;
  const [step, write, read] = [delta, B, C].map((values) => repeated(values, rows));
  return rescan({ delta: step, A, B: write, C: read, D: fold.D }, x);
}

/** The token-free term of the folded form, from the convolution's bias [L,n]; zero where there is none. */
export function biasTerm(folded: FoldedScan): tf.Tensor2D {
  const { fold, convBias } = folded;
  if (!convBias) return tf.zeros(fold.target.shape);
  const signal = fold.source.mul(convBias).expandDims(0) as tf.Tensor3D;
  return scanned(folded, signal).squeeze<tf.Tensor2D>([0]).mul(fold.target);
}
