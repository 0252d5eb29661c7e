import * as tf from '@tensorflow/tfjs';
import { anatomyOf } from '@/lib/architectures';
import { attentionAt, type PlacedScan, scansAt } from '@/lib/architectures/places';
import type { Port, ScanBranch } from '@/lib/architectures/types';
import { type BlockConfig, isDifferential, isHybrid, type MixerConfig, SUBLN_EPSILON } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import type { BlockCache } from './s6Inputs';

/** The weights around one scan, in memory of their own; shapes in brackets. */
export interface ScanParameters {
  /** [E] for S6, [H] for SSD. */
  readonly D: Float32Array;
  readonly K: number;
  /** Convolution of x [E,K], the last tap for the current token. */
  readonly taps: Float32Array;
  /** [E] */
  readonly convBias?: Float32Array;
  /** Weight of the gated norm [E], of SSD scans. */
  readonly norm?: Float32Array;
  readonly epsilon: number;
  /** Whether the norm comes before the gate. */
  readonly normFirst: boolean;
}

/** What gives an inner output: a scan, or attention. */
export type MixerName = ScanBranch | 'attention';

/** What one branch of a block (all of a plain one) makes of the inner output v [E] of its scan. */
export interface OperatorBranch {
  readonly mixer: MixerName;
  /** Where its value is seen before it is subtracted or multiplied; of a plain block what it adds. */
  readonly port: Port;
  /** 1, or −λ, of a channel of what is subtracted; of a hybrid the multiplier of its output. */
  factor(channel: number): number;
  /** Of an output projection that comes before the subtraction, at the port. */
  readonly bias?: Float32Array;
  /** W: row-major [d,E], the weight of subln included; cost: one copy. */
  weight(): Float32Array;
  /** The same times 1, −λ or the multiplier: the branch's share of the block. */
  part(): Float32Array;
  /**
   * scale · part · v of inner outputs v [rows,E]: [rows,d], without a copy of the weights; call it inside `tf.tidy`.
   * Cost: one product [rows,E]·[E,d], half of it for one half of an output.
   */
  written(inner: tf.Tensor2D, scale: number): tf.Tensor2D;
  /** Its share of the operator's `fixed`; a bias behind the subtraction belongs to the first branch. */
  readonly fixed?: Float32Array;
}

/**
 * A block as an exact operator on the inner outputs v_m of its branches, the norm of a difference frozen (equations
 * C4), in the rows that it was made of:
 *
 *     out_i = scale_i Σ_m part_m v_m,i + fixed_i
 */
export interface Operator {
  readonly d: number;
  readonly scans: ReadonlyMap<ScanBranch, ScanParameters>;
  /** One, or the two of a differential block, which may read the same scan, or attention and a scan, or none of an MLP. */
  readonly branches: readonly OperatorBranch[];
  /** [rows]: (1 − λ_init) / rms(δ_i), or 1. */
  readonly scale: Float32Array;
  /** [rows,d]: biases of the output projections; absent where there are none. */
  readonly fixed?: Float32Array;
  /**
   * The covector of branch 1 − λ · branch 2, or of a plain block's output, that a covector u [d] of the residual stream
   * becomes at a row: in float64, so that parts add up to their sum.
   */
  covector(u: Float64Array, row: number): Float64Array;
}

type Read = (name: string) => Float32Array | undefined;

/** The weights around each scan of block `index` alone: all that the whole-block form needs. */
export function scanParameters(model: Model, index: number): ReadonlyMap<ScanBranch, ScanParameters> {
  const block = model.config.blocks[index];
  const scans = scansAt(index, block);
  return new Map(scans.map((scan) => [scan.name, parametersOf(scan, block.mixer, readerOf(model))]));
}

const readerOf =
  (model: Model): Read =>
  (name) =>
    model.parameters.get(name)?.dataSync() as Float32Array | undefined;

function need(read: Read, name: string): Float32Array {
  const found = read(name);
  if (!found) throw new Error(`The model has no parameter ${name}.`);
  return found;
}

function parametersOf({ parameters, parameter }: PlacedScan, { E, K, epsilon, variant }: MixerConfig, read: Read) {
  const { conv, D, norm } = parameters;
  return {
    D: need(read, parameter(D)).slice(),
    K,
    taps: need(read, parameter(`${conv}.weight`)).slice(0, E * K),
    convBias: read(parameter(`${conv}.bias`))?.slice(0, E),
    norm: norm === undefined || variant?.norm === 'none' ? undefined : need(read, parameter(norm)).slice(),
    epsilon,
    normFirst: variant?.norm === 'before_gate',
  };
}

/** A mixer of a block: where its output projection is, where what that gives is seen, and its multiplier. */
interface PlacedMixer {
  readonly name: MixerName;
  readonly outProj: string;
  readonly port: Port;
  readonly multiplier: number;
}

function mixersOf(index: number, block: BlockConfig): PlacedMixer[] {
  const scales = isHybrid(block) ? block.scales : { mamba: 1, attention: 1 };
  const attention = attentionAt(index, block);
  const scans = scansAt(index, block).map(({ name, parameter, parameters, output = 'out_proj' }): PlacedMixer => {
    return {
      name,
      outProj: parameter(parameters.outProj),
      port: { point: `hook_${output}` },
      multiplier: scales.mamba,
    };
  });
  if (!attention) return scans;
  const outProj = attention.parameter(attention.parameters.outProj);
  const port = { point: 'hook_attn_out' };
  return [{ name: 'attention', outProj, port, multiplier: scales.attention }, ...scans];
}

/**
 * The operator that a block was in a forward pass.
 * @param seen λ, the difference, and what the block added, of the rows in question
 */
export function operatorOf(model: Model, seen: Pick<BlockCache, 'index' | 'lambda' | 'diff' | 'out'>): Operator {
  const { d } = model.config;
  const { index, lambda = 1 } = seen;
  const block = model.config.blocks[index];
  const read = readerOf(model);
  const scans = scansAt(index, block);
  const { difference } = anatomyOf(block);
  const after = difference?.outProj === 'after';
  const subln =
    isDifferential(block) && block.subln && difference?.subln !== undefined
      ? need(read, scans[0].parameter(difference.subln)).slice()
      : undefined;
  const rows = seen.out.length / d;
  const width = after ? block.mixer.E : difference?.doubled ? d / 2 : d;
  const scale = scaleOf();

  const mixers = mixersOf(index, block);
  const parts = difference
    ? difference.branches.map((port, k) => ({ ...mixers[Math.min(k, mixers.length - 1)], port }))
    : mixers;
  const branches = parts.map(({ name, outProj, port, multiplier }, k): OperatorBranch => {
    const factor = (channel: number) => {
      if (!difference) return multiplier;
      return k === 0 ? 1 : typeof lambda === 'number' ? -lambda : -lambda[lambda.length === 1 ? 0 : channel];
    };
    const made = (of: (channel: number) => number) => projected(need(read, `${outProj}.weight`), port, of);
    const weights = () => model.parameters.get(`${outProj}.weight`) as unknown as tf.Tensor2D;
    const bias = after ? undefined : read(`${outProj}.bias`);
    return {
      mixer: name,
      port,
      factor,
      bias: bias && halfOf(bias, port),
      weight: () => made(() => 1),
      part: () => made(factor),
      written: (inner, scale) => writtenBy(weights(), port, (channel) => scale * factor(channel), inner),
      fixed: fixedOf(k, outProj, port, factor),
    };
  });
  const constants = branches.flatMap((branch) => (branch.fixed ? [branch.fixed] : []));
  const fixed =
    constants.length === 0 ? undefined : constants.reduce((sum, each) => sum.map((value, k) => value + each[k]));

  return { d, scans: scanParameters(model, index), branches, scale, fixed, covector };

  /** (1 − λ_init) / sqrt(mean(δ_i²) + ε), or (1 − λ_init) without subln; 1 for plain blocks. */
  function scaleOf(): Float32Array {
    if (!isDifferential(block)) return new Float32Array(rows).fill(1);
    return Float32Array.from({ length: rows }, (_, i) => {
      if (!block.subln) return 1 - block.lambdaInit;
      const delta = seen.diff?.subarray(i * width, (i + 1) * width) ?? [];
      let sum = 0;
      for (const value of delta) sum += value * value;
      return (1 - block.lambdaInit) / Math.sqrt(sum / width + SUBLN_EPSILON);
    });
  }

  /** Rows of an output projection as the residual stream gets them, times a factor of each channel that is subtracted. */
  function projected(W: Float32Array, port: Port, of: (channel: number) => number): Float32Array {
    const result = new Float32Array(W.length);
    const E = columnsOf(W);
    const { rows, columns } = factorsOf(of);
    for (let r = 0; r < d; r++) {
      const from = rowOf(r, port) * E;
      const ofRow = rows?.[r] ?? 1;
      for (let c = 0; c < E; c++) result[r * E + c] = W[from + c] * ofRow * (columns?.[c] ?? 1);
    }
    return result;
  }

  /** What a projection's rows or, where it follows the subtraction, its columns are multiplied by. */
  function factorsOf(of: (channel: number) => number): { rows?: Float64Array; columns?: Float64Array } {
    if (after) return { columns: Float64Array.from({ length: width }, (_, c) => (subln?.[c] ?? 1) * of(c)) };
    // A plain block's scale is 1.
    if (!difference && of(0) === 1) return {};
    return { rows: Float64Array.from({ length: d }, (_, r) => (subln?.[r] ?? 1) * of(r % width)) };
  }

  function writtenBy(W: tf.Tensor2D, port: Port, of: (channel: number) => number, inner: tf.Tensor2D): tf.Tensor2D {
    const { rows, columns } = factorsOf(of);
    if (columns) return tf.matMul(inner.mul(tf.tensor1d(Float32Array.from(columns))), W, false, true);
    const seen = port.half ? W.slice([rowOf(0, port), 0], [width, W.shape[1]]) : W;
    const through: tf.Tensor2D = tf.matMul(inner, seen, false, true);
    const wide = port.half ? tf.concat([through, through], 1) : through;
    return rows ? wide.mul(tf.tensor1d(Float32Array.from(rows))) : wide;
  }

  function rowOf(r: number, { half }: Port): number {
    return half ? (r % width) + (half === 'upper' ? width : 0) : r;
  }

  function fixedOf(k: number, outProj: string, port: Port, factor: (channel: number) => number) {
    const bias = read(`${outProj}.bias`);
    if (!bias || (after && k > 0)) return undefined;
    const fixed = new Float32Array(rows * d);
    for (let i = 0; i < rows; i++)
      for (let r = 0; r < d; r++)
        fixed[i * d + r] = bias[rowOf(r, port)] * (after ? 1 : scale[i] * (subln?.[r] ?? 1) * factor(r % width));
    return fixed;
  }

  /** Inner channels that an output projection reads: all of it, halved rows included, is [rows,E]. */
  function columnsOf(W: Float32Array): number {
    return W.length / d;
  }

  function covector(u: Float64Array, row: number): Float64Array {
    const through = after ? transposed(need(read, `${mixers[0].outProj}.weight`), u) : u;
    const v = new Float64Array(width);
    for (let k = 0; k < through.length; k++) v[k % width] += scale[row] * (subln?.[k] ?? 1) * through[k];
    return v;
  }
}

/** The part of a row of values that a port shows. */
export function halfOf(values: Float32Array, { half }: Port): Float32Array {
  const middle = values.length / 2;
  return half === 'upper' ? values.subarray(middle) : half === 'lower' ? values.subarray(0, middle) : values;
}

/** W^T u for W [d,E]. */
function transposed(W: Float32Array, u: Float64Array): Float64Array {
  const E = W.length / u.length;
  const v = new Float64Array(E);
  for (let i = 0; i < u.length; i++) for (let e = 0; e < E; e++) v[e] += W[i * E + e] * u[i];
  return v;
}
