import type * as tf from '@tensorflow/tfjs';
import { attentionAt, scansAt } from '@/lib/architectures/places';
import type { Family, ScanBranch } from '@/lib/architectures/types';
import { type BlockKind, isDifferential, isHybrid, type MixerConfig, type ModelConfig } from '@/lib/checkpoint/types';

export type { Family, ScanBranch };

/** What one scan of E channels and N states read and gave, for one sequence; row-major, shapes in brackets. */
interface ScanInputs {
  readonly L: number;
  readonly E: number;
  readonly N: number;
  /** [L,E] */
  readonly x: Float32Array;
  /** [L,E], without D·x. */
  readonly y: Float32Array;
  /** x before the convolution [L,E]. */
  readonly x0: Float32Array;
  /** The gate before SiLU [L,E]. */
  readonly z: Float32Array;
}

export interface Mamba1Inputs extends ScanInputs {
  readonly family: 'mamba1';
  /** Δ [L,E], after softplus. */
  readonly delta: Float32Array;
  /** [E,N], negative. */
  readonly A: Float32Array;
  /** [L,N] */
  readonly B: Float32Array;
  /** [L,N] */
  readonly C: Float32Array;
}

/** Of an SSD scan with H heads of P channels and G groups; E = H·P. */
export interface Mamba2Inputs extends ScanInputs {
  readonly family: 'mamba2';
  readonly H: number;
  readonly P: number;
  readonly G: number;
  /** Δ [L,H], after softplus and clamp. */
  readonly delta: Float32Array;
  /** [H], negative. */
  readonly A: Float32Array;
  /** [L,G,N] */
  readonly B: Float32Array;
  /** [L,G,N] */
  readonly C: Float32Array;
}

export type S6Inputs = Mamba1Inputs | Mamba2Inputs;

/** What softmax attention of H query heads and KV key heads of D components read and gave, for one sequence. */
export interface AttentionInputs {
  readonly L: number;
  readonly H: number;
  readonly KV: number;
  readonly D: number;
  readonly scale: number;
  /** [L,H·D] and [L,KV·D], rotated where it rotates them. */
  readonly q: Float32Array;
  readonly k: Float32Array;
  /** [L,KV·D] */
  readonly v: Float32Array;
  /** What the output projection reads [L,H·D]. */
  readonly z: Float32Array;
}

/** What a block left behind for one sequence, in memory of its own: independent of the device and of the cache. */
export interface BlockCache {
  readonly index: number;
  readonly kind: BlockKind;
  /** One entry, `single`, for plain blocks; `mixer_1` and `mixer_2` for differential ones; none for attention alone or an MLP. */
  readonly scans: ReadonlyMap<ScanBranch, S6Inputs>;
  readonly attention?: AttentionInputs;
  /** λ of a differential block; an array where it has one value per channel. */
  readonly lambda?: number | Float32Array;
  /** What the block adds to the residual stream before its MLP, if it has one [L,d]. */
  readonly out: Float32Array;
  /** Branch 1 − λ · branch 2 [L,width], of differential blocks. */
  readonly diff?: Float32Array;
}

const POINTS = {
  delta: 'delta',
  A: 'A',
  B: 'B',
  C: 'C',
  x: 'ssm_input',
  y: 'y',
  x0: 'in_proj',
  z: 'skip',
} as const;

/** What {@link AttentionInputs} hold. */
const ATTENDED = ['q', 'k', 'v', 'z'] as const;

type Quantity = keyof typeof POINTS;

const QUANTITIES = Object.keys(POINTS) as Quantity[];

/**
 * Hook names (docs/hooks.md) that {@link blockCache} reads for one block; they hold every scan's inputs, its output and
 * λ.
 */
export function captureNames(config: ModelConfig, block: number): string[] {
  const settings = config.blocks[block];
  const names = scansAt(block, settings).flatMap(({ at }) => QUANTITIES.map((quantity) => at(POINTS[quantity])));
  const whole = isDifferential(settings) ? ['hook_out_proj', 'hook_lambda', 'hook_diff'] : ['hook_out_proj'];
  const attention = attentionAt(block, settings);
  const read = attention ? ATTENDED.map((point) => attention.at(point)) : [];
  return [...new Set(names), ...read, ...whole.map((point) => `blocks.${block}.${point}`)];
}

/**
 * Copies what block `block` left in a cache, for one batch element. The cache may be disposed of afterwards.
 * Memory: 20 L E bytes per scan and 4 L d to 8 L d for the block.
 * @throws when the cache lacks one of {@link captureNames}.
 */
export function blockCache(
  config: ModelConfig,
  block: number,
  cache: ReadonlyMap<string, tf.Tensor>,
  batchIndex = 0,
): BlockCache {
  const settings = config.blocks[block];
  const { kind } = settings;
  const read = (name: string) => {
    const tensor = cache.get(name);
    if (!tensor) throw new Error(`The cache has no ${name}; ask for captureNames(config, ${block}).`);
    return tensor;
  };
  const scans = new Map(
    scansAt(block, settings).map(({ name, family, at }) => {
      const of = (quantity: Quantity) => read(at(POINTS[quantity]));
      return [name, scanInputs(settings.mixer, family, of, batchIndex)];
    }),
  );
  const out = copy(read(`blocks.${block}.hook_out_proj`), batchIndex);
  const attended = attentionAt(block, settings);
  if (attended && isHybrid(settings) && settings.attention) {
    const { H, KV, D, scale } = settings.attention;
    const [q, k, v, z] = ATTENDED.map((point) => copy(read(attended.at(point)), batchIndex));
    const attention = { L: z.length / (H * D), H, KV, D, scale, q, k, v, z };
    return { index: block, kind, scans, attention, out };
  }
  if (!isDifferential(settings)) return { index: block, kind, scans, out };
  const lambda = copy(read(`blocks.${block}.hook_lambda`));
  const diff = copy(read(`blocks.${block}.hook_diff`), batchIndex);
  return { index: block, kind, scans, out, diff, lambda: lambda.length === 1 ? lambda[0] : lambda };
}

function scanInputs(
  { E, N, H, P, G }: MixerConfig,
  family: Family,
  of: (q: Quantity) => tf.Tensor,
  batchIndex: number,
): S6Inputs {
  const [batch, L] = of('delta').shape;
  if (batchIndex < 0 || batchIndex >= batch)
    throw new Error(`The cache has ${batch} rows; there is no row ${batchIndex}.`);
  const row = (quantity: Quantity) => copy(of(quantity), batchIndex);
  const [delta, B, C, x, y, x0, z] = (['delta', 'B', 'C', 'x', 'y', 'x0', 'z'] as const).map(row);
  const arrays = { delta, A: copy(of('A')), B, C, x, y, x0, z };
  return family === 'mamba1'
    ? { family: 'mamba1', L, E, N, ...arrays }
    : { family: 'mamba2', L, E, N, H, P, G, ...arrays };
}

/** A tensor's values, or those of one batch element, in memory of their own: a device may reuse what `dataSync` returns. */
function copy(tensor: tf.Tensor, batchIndex?: number): Float32Array {
  const values = tensor.dataSync() as Float32Array;
  if (batchIndex === undefined) return values.slice();
  const size = values.length / tensor.shape[0];
  return values.slice(batchIndex * size, (batchIndex + 1) * size);
}
