import { type BlockConfig, SUBLN_EPSILON } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { type BlockCache, isDifferential, type ScanBranch, scansOf } from './s6Inputs';

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
}

/**
 * What follows the inner outputs v_m [L,E] of a block's branches, the norm of a difference frozen (spec C4):
 *
 *     out_i = scale_i Σ_m part_m v_m,i + fixed_i
 */
export interface BlockParameters {
  readonly d: number;
  readonly scans: ReadonlyMap<ScanBranch, ScanParameters>;
  /** Row-major [d,E]: the branch's share of the block, −λ and the weight of subln included. */
  readonly parts: ReadonlyMap<ScanBranch, Float32Array>;
  /** The same of `mixer_2` without its factor −λ. */
  readonly unscaled: ReadonlyMap<ScanBranch, Float32Array>;
  /** [L]: (1 − λ_init) / rms(δ_i), or 1. */
  readonly scale: Float32Array;
  /** [L,d]: biases of the output projections; absent where there are none. */
  readonly fixed?: Float32Array;
}

type Read = (name: string) => Float32Array | undefined;

/** Reads the weights around the scans of a block, and what follows them. Cost: copies of its output projections. */
export function blockParameters(model: Model, cache: BlockCache): BlockParameters {
  const { config } = model;
  const settings = config.blocks[cache.index];
  const scans = scanParameters(model, cache.index);
  return { d: config.d, scans, ...outputs(settings, cache, reader(model, cache.index), config.d) };
}

/** The weights around each scan of block `index` alone: all that the whole-block form needs. */
export function scanParameters(model: Model, index: number): ReadonlyMap<ScanBranch, ScanParameters> {
  const settings = model.config.blocks[index];
  const read = reader(model, index);
  return new Map(scansOf(settings.kind).map((scan) => [scan, parametersOf(settings, scan, read)]));
}

const reader =
  (model: Model, index: number): Read =>
  (name) => {
    const parameter = model.parameters.get(`backbone.layers.${index}.${name}`);
    return parameter && (parameter.dataSync() as Float32Array).slice();
  };

function need(read: Read, name: string): Float32Array {
  const found = read(name);
  if (!found) throw new Error(`The block has no parameter ${name}.`);
  return found;
}

const OWN_MIXERS: readonly string[] = ['diff_mamba1', 'diff_mamba2'];

const mixerOf = ({ kind }: BlockConfig, scan: ScanBranch) => (OWN_MIXERS.includes(kind) ? scan : 'mixer');

function parametersOf(settings: BlockConfig, scan: ScanBranch, read: Read): ScanParameters {
  const { kind, mixer } = settings;
  const at = mixerOf(settings, scan);
  const shared = kind === 'diff_s6' || kind === 'diff_s6_mamba2';
  const { E, K, epsilon } = mixer;
  return {
    D: need(read, shared ? `mixer.D${scan === 'mixer_1' ? 1 : 2}` : `${at}.D`),
    K,
    taps: need(read, `${at}.conv1d.weight`).slice(0, E * K),
    convBias: read(`${at}.conv1d.bias`)?.slice(0, E),
    norm: read(`${at}.norm.weight`),
    epsilon,
  };
}

type Outputs = Pick<BlockParameters, 'parts' | 'unscaled' | 'scale' | 'fixed'>;

function outputs(settings: BlockConfig, cache: BlockCache, read: Read, d: number): Outputs {
  const { kind, mixer } = settings;
  const L = cache.out.length / d;
  const scale = scaleOf(settings, cache, L);
  const subln = read(kind === 'diff_s6_mamba2' ? 'mixer.subln.weight' : 'subln.weight');
  const columns = kind === 'diff_s6_mamba2' ? subln : undefined;
  const rows = kind === 'diff_s6_mamba2' ? undefined : subln;
  const lambda = cache.lambda ?? 1;
  const parts = new Map<ScanBranch, Float32Array>();
  const unscaled = new Map<ScanBranch, Float32Array>();
  const fixed = new Float32Array(L * d);
  let biased = false;
  for (const scan of scansOf(kind)) {
    const at = mixerOf(settings, scan);
    const weight = need(read, `${at}.out_proj.weight`);
    const projection = kind === 'diff_mamba2e' ? differenceOfHalves(weight, lambda, mixer.E) : weight;
    const own = rows || columns ? scaled(projection, mixer.E, { rows, columns }) : projection;
    const ofLambda = (r: number) => (typeof lambda === 'number' ? -lambda : -lambda[r]);
    unscaled.set(scan, own);
    parts.set(scan, scan === 'mixer_2' ? minusLambda(own, mixer.E, lambda, kind) : own);
    const bias = read(`${at}.out_proj.bias`);
    if (!bias || (at === 'mixer' && scan === 'mixer_2')) continue;
    biased = true;
    const halves = kind === 'diff_mamba2e' ? differenceOfHalves(bias, lambda, 1) : bias;
    const inside = OWN_MIXERS.includes(kind) || kind === 'diff_mamba2e';
    for (let i = 0; i < L; i++)
      for (let r = 0; r < d; r++) {
        const sign = scan === 'mixer_2' ? ofLambda(r) : 1;
        fixed[i * d + r] += halves[r] * (inside ? scale[i] * (rows?.[r] ?? 1) * sign : 1);
      }
  }
  return { parts, unscaled, scale, fixed: biased ? fixed : undefined };
}

/** (1 − λ_init) / sqrt(mean(δ_i²) + ε), or (1 − λ_init) without subln; 1 for plain blocks and Diff-S6. */
function scaleOf({ kind, lambdaInit = 0, subln }: BlockConfig, { diff }: BlockCache, L: number): Float32Array {
  if (!isDifferential(kind) || kind === 'diff_s6' || !diff) return new Float32Array(L).fill(1);
  const width = diff.length / L;
  return Float32Array.from({ length: L }, (_, i) => {
    if (subln === false) return 1 - lambdaInit;
    let sum = 0;
    for (let r = 0; r < width; r++) sum += diff[i * width + r] ** 2;
    return (1 - lambdaInit) / Math.sqrt(sum / width + SUBLN_EPSILON);
  });
}

/** [upper half − λ · lower half], repeated: what `diff_mamba2e` makes of rows of its output projection. */
function differenceOfHalves(values: Float32Array, lambda: number | Float32Array, columns: number): Float32Array {
  const half = values.length / 2;
  const difference = values.slice(0, half).map((low, k) => {
    const factor = typeof lambda === 'number' ? lambda : lambda[Math.floor(k / columns)];
    return values[half + k] - factor * low;
  });
  const twice = new Float32Array(values.length);
  twice.set(difference);
  twice.set(difference, half);
  return twice;
}

/** −λ times a matrix of rows of `columns` values; a λ per channel belongs to its columns in `diff_s6_mamba2`, else to its rows. */
function minusLambda(matrix: Float32Array, columns: number, lambda: number | Float32Array, kind: BlockConfig['kind']) {
  if (typeof lambda === 'number') return matrix.map((value) => -lambda * value);
  const negative = lambda.map((value) => -value);
  return scaled(matrix, columns, kind === 'diff_s6_mamba2' ? { columns: negative } : { rows: negative });
}

interface Factors {
  readonly rows?: Float32Array;
  readonly columns?: Float32Array;
}

/** A copy of a matrix whose rows and columns of `width` values are multiplied by factors. */
function scaled(matrix: Float32Array, width: number, { rows, columns }: Factors): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0, k = 0; k < matrix.length; r++) {
    const ofRow = rows ? rows[r] : 1;
    for (let c = 0; c < width; c++, k++) result[k] = matrix[k] * ofRow * (columns ? columns[c] : 1);
  }
  return result;
}
