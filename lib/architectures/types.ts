import type * as tf from '@tensorflow/tfjs';
import type { DifferentialKind, HybridKind, PlainKind } from './kinds';
import type { Tap } from './tap';
import type { Weights } from './weights';

/** How λ is made from its parameters (equations A4, A5). */
export type LambdaForm = 'sigmoid_sum' | 'sigmoid_scalar' | 'sigmoid_channel' | 'exp' | { readonly constant: number };

/**
 * Sizes of one mixer: d model width, E inner width, N state size, K convolution width, R dt rank, H heads, P head
 * dimension, G groups. `R` is 0 for Mamba-2 kinds; `H`, `P`, `G` are 0 for Mamba-1 kinds.
 */
export interface MixerConfig {
  readonly d: number;
  readonly E: number;
  readonly N: number;
  readonly K: number;
  readonly R: number;
  readonly H: number;
  readonly P: number;
  readonly G: number;
  /** Δ is clamped to this range after softplus (Mamba-2 kinds). */
  readonly timeStepLimit: readonly [number, number];
  readonly useBias: boolean;
  readonly useConvBias: boolean;
  /** ε of the RMSNorm inside the mixer: the gated one of Mamba-2, those of δ, B and C of FalconMamba. */
  readonly epsilon: number;
  /** Whether the output projection has a bias, where that is not `useBias`. */
  readonly useOutBias?: boolean;
  /** What a Falcon-H1 mixer does otherwise than Mamba-2. */
  readonly variant?: SsdVariant;
}

/** Multipliers of a Mamba-2 mixer's input and of what its input projection gives, and where its norm is. */
export interface SsdVariant {
  readonly input: number;
  readonly parts: readonly [z: number, x: number, B: number, C: number, dt: number];
  /** `none`: the gated value goes to the output projection as it is. */
  readonly norm: 'after_gate' | 'before_gate' | 'none';
}

/** Causal softmax attention of H query heads and KV key heads of D components; query head h reads key head ⌊h / (H/KV)⌋. */
export interface AttentionConfig {
  readonly H: number;
  readonly KV: number;
  readonly D: number;
  /** What the products q·k are multiplied by before the softmax. */
  readonly scale: number;
  /** Rotation of the first `width` components of each head, pairs (i, i + width/2) by position · θ^(−2i/width). */
  readonly rope?: { readonly theta: number; readonly width: number };
  readonly useBias: boolean;
  /** What its input and its keys are multiplied by. */
  readonly input: number;
  readonly keys: number;
}

/** An MLP between two projections of `width` rows. */
export interface MlpConfig {
  readonly width: number;
  readonly useBias: boolean;
  /** What the gate is multiplied by before its activation, and the output after the last projection. */
  readonly gate: number;
  readonly output: number;
}

/**
 * ε of the norm of the difference; a constant in every published code, whatever the ε of the other norms (equations
 * A4).
 */
export const SUBLN_EPSILON = 1e-5;

export interface PlainBlock {
  readonly kind: PlainKind;
  readonly mixer: MixerConfig;
}

/** out = (1 − λ_init) · RMS(branch 1 − λ · branch 2; subln), the norm only with `subln`. */
export interface DifferentialBlock {
  readonly kind: DifferentialKind;
  readonly mixer: MixerConfig;
  readonly lambda: LambdaForm;
  readonly lambdaInit: number;
  readonly subln: boolean;
}

/** A block of a model with attention: mixers in parallel, then an MLP, each where its kind has one. */
export interface HybridBlock {
  readonly kind: HybridKind;
  /** Sizes of its scan; without one, d alone counts, E is what attention or the MLP is wide, and the rest is 0. */
  readonly mixer: MixerConfig;
  readonly attention?: AttentionConfig;
  readonly mlp?: MlpConfig;
  /** ε of the norm before the MLP. */
  readonly epsilon: number;
  /** What each part is multiplied by when it is added to the residual stream. */
  readonly scales: { readonly mamba: number; readonly attention: number; readonly mlp: number };
}

export type BlockConfig = PlainBlock | DifferentialBlock | HybridBlock;

export const isDifferential = (block: BlockConfig): block is DifferentialBlock => 'lambda' in block;

export const isHybrid = (block: BlockConfig): block is HybridBlock => 'scales' in block;

export type Shape = readonly number[];

/** Tensors by name, and their shapes. */
export type Shapes = [name: string, shape: Shape][];

/** The recurrence of a scan: S6 of Mamba-1, or SSD of Mamba-2. */
export type Family = 'mamba1' | 'mamba2';

/** A scan of its own: the one of a plain block, or one of the two that a differential block subtracts. */
export type ScanBranch = 'single' | 'mixer_1' | 'mixer_2';

/** One scan of a block: where its values are seen and its parameters lie. */
export interface Scan {
  readonly name: ScanBranch;
  readonly family: Family;
  /** Hook points (docs/hooks.md, without `hook_`) that the scan meets, in order. */
  readonly points: readonly string[];
  /** Those of them that it has in common with the block's other scan; they, and all of a `single` one, lie at the block. */
  readonly shared: readonly string[];
  /** What the output projection reads, the last of its points: v [L,E]. */
  readonly inner: string;
  /** Where what the output projection gives is seen, of a block in which it is not all that is added; else `out_proj`. */
  readonly output?: string;
  /** Names of parameters below `backbone.layers.i`. */
  readonly parameters: {
    readonly conv: string;
    readonly D: string;
    /** The weight of the gated norm, of SSD scans. */
    readonly norm?: string;
    readonly outProj: string;
  };
}

/** The softmax attention of a block: where its parameters lie, below `backbone.layers.i`. */
export interface Attention {
  readonly parameters: { readonly outProj: string };
}

/** Where a branch of a difference is read: a hook point of the block, all of its channels or one half of them. */
export interface Port {
  readonly point: string;
  readonly half?: 'lower' | 'upper';
}

/** How a differential block subtracts its branches. */
export interface Difference {
  readonly branches: readonly [first: Port, second: Port];
  /** Whether the output projection comes before the subtraction, or follows it and is shared. */
  readonly outProj: 'before' | 'after';
  /** Whether the difference is repeated twice, to the width of the residual stream, before its norm. */
  readonly doubled: boolean;
  /** Name of the norm's weight below `backbone.layers.i`; none where the difference is neither normed nor scaled. */
  readonly subln?: string;
  /** The published form of λ. */
  readonly lambda: LambdaForm;
  /** The plain block whose mixer each branch is, where a branch is a whole mixer. */
  readonly mixers?: PlainKind;
}

/** What the rest of the program must know of a block without running it. */
export interface Anatomy {
  /** None where a block has no recurrence. */
  readonly scans: readonly Scan[];
  readonly difference?: Difference;
  /** Beside the scans, or alone. */
  readonly attention?: Attention;
  /** Hook points of its MLP, without `hook_`, in order. */
  readonly mlp?: readonly string[];
}

/** One kind of block: its equation, its tensors, its anatomy. */
export interface Architecture {
  /** For people. */
  readonly label: string;
  /** E / d where a configuration does not say. */
  readonly expand: number;
  /** ε of a mixer's norm, where it is a setting of its own (`mixer_rms_eps`) and a configuration does not say. */
  readonly ownEpsilon?: number;
  readonly anatomy: Anatomy;
  /** Tensors of one block without its norm, by name below `backbone.layers.i`, and their shapes. */
  tensors(block: BlockConfig): Shapes;
  /** What a block adds to the residual stream: normalised input u [B,L,d] → [B,L,d]; `w` is scoped to `backbone.layers.i`. */
  forward(u: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D;
  /** What a block adds after its mixers, to the residual stream h [B,L,d] that they have added to: its MLP with the norm before it. */
  feedForward?(h: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap): tf.Tensor3D;
  /**
   * The whole block with its norm and its sum, h + mixer(RMS(h)), for one token while decoding, where a device has a kernel
   * for it and nobody looks inside; else null.
   */
  step?(h: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap, epsilon: number): tf.Tensor3D | null;
  /** The same for training (`tap.joins`), with gradients. */
  trained?(h: tf.Tensor3D, w: Weights, block: BlockConfig, tap: Tap, epsilon: number): tf.Tensor3D | null;
}

/** Of blocks that are no difference. */
export type HybridArchitecture = PlainArchitecture;
export type PlainArchitecture = Architecture & { readonly anatomy: { readonly difference?: undefined } };
export type DifferentialArchitecture = Architecture & { readonly anatomy: { readonly difference: Difference } };
