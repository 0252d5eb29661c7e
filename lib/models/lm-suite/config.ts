import { ARCHITECTURES, blockOf, familyOf } from '@/lib/architectures';
import { defaultLambdaInit } from '@/lib/checkpoint';
import {
  type BlockConfig,
  type BlockKind,
  InputError,
  type LambdaForm,
  type MixerConfig,
} from '@/lib/checkpoint/types';

/** Sizes of a mixer that may differ from those of its class; `expand` is E/d. */
export interface MixerSizes {
  readonly expand?: number;
  readonly N?: number;
  readonly K?: number;
  /** Mamba-2 kinds only. */
  readonly P?: number;
  /** Mamba-1 kinds only; default ceil(d/16). */
  readonly R?: number;
}

/**
 * A model of the paper's language-model suite (equations A3, E2): an adaptive embedding, `units` times
 * [mixer, mixer, FFN], an adaptive softmax.
 */
export interface LmSuiteConfig {
  readonly d: number;
  /** Repeated units; the paper's "layers". */
  readonly units: number;
  readonly kind: BlockKind;
  readonly V: number;
  /** First token of each tail cluster; empty for a plain softmax. */
  readonly cutoffs: readonly number[];
  /** Cluster i has embeddings of width d / divVal^i. With 1 there is one table and no projection. */
  readonly divVal: number;
  /** Rates: after every mixer and FFN and inside the FFN; of the embedding; of projected softmax inputs. */
  readonly dropout: { readonly residual: number; readonly embedding: number; readonly softmax: number };
  readonly mixer?: MixerSizes;
  /** Diff kinds with a λ of their own; default that of the class (equations A4). */
  readonly lambda?: LambdaForm;
  readonly subln?: boolean;
}

/** One residual step; its place j in the flattened list names its parameters and hooks. */
export type SubLayer = { readonly kind: 'mixer'; readonly block: BlockConfig } | { readonly kind: 'ffn' };

/**
 * State size and head dimension of the suite's classes, which its configurations leave as they are (equations A3, A4).
 */
export function classSizes(kind: BlockKind): { readonly N: number; readonly P: number } {
  if (familyOf(kind) === 'mamba1') return { N: 16, P: 0 };
  if (ARCHITECTURES[kind].expand === 1) return { N: 64, P: 64 };
  return { N: 64, P: kind === 'diff_s6_mamba2' ? 108 : 128 };
}

/** Width of the FFN between its two projections, in units of d. */
export const FFN_EXPANSION = 4;

export const EPSILON = 1e-5;

function mixerOf({ d, kind, mixer: own = {} }: LmSuiteConfig): MixerConfig {
  const sizes = classSizes(kind);
  const { expand = ARCHITECTURES[kind].expand, N = sizes.N, K = 4, P = sizes.P } = own;
  const E = expand * d;
  const common = { d, E, N, K, useBias: false, useConvBias: true, epsilon: EPSILON };
  const timeStepLimit = [0, Number.POSITIVE_INFINITY] as const;
  if (P === 0) return { ...common, R: own.R ?? Math.ceil(d / 16), H: 0, P: 0, G: 0, timeStepLimit };
  if (E % P !== 0)
    throw new InputError(
      `A ${kind} mixer has an inner width of ${E}, which its head dimension ${P} does not divide: choose another d or P.`,
    );
  return { ...common, R: 0, H: E / P, P, G: 1, timeStepLimit };
}

/**
 * The sub-layers in order. The i of λ_init is the place in this list, so FFNs are counted: 0, 1, 3, 4, 6, 7, …
 * @throws InputError when the sizes do not fit together
 */
export function subLayersOf(config: LmSuiteConfig): SubLayer[] {
  const { kind, units, lambda, subln = true } = config;
  if (ARCHITECTURES[kind].anatomy.difference?.doubled && config.d % 2 !== 0)
    throw new InputError(`${kind} needs an even d.`);
  const mixer = mixerOf(config);
  const blockAt = (j: number) => blockOf(kind, mixer, { lambda, lambdaInit: defaultLambdaInit(j), subln });
  return Array.from({ length: 3 * units }, (_, j) =>
    j % 3 === 2 ? { kind: 'ffn' } : { kind: 'mixer', block: blockAt(j) },
  );
}
