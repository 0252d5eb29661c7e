import { BAMBA_ATTENTION, BAMBA_MAMBA2 } from './bamba';
import { DIFF_MAMBA1, DIFF_MAMBA2 } from './diff_mamba';
import { DIFF_MAMBA2E } from './diff_mamba2e';
import { DIFF_S6, DIFF_S6_MAMBA2 } from './diff_s6';
import { FALCON_H1 } from './falcon_h1';
import { FALCON_MAMBA } from './falcon_mamba';
import { GRANITE_ATTENTION, GRANITE_MAMBA2 } from './granite';
import { JAMBA_ATTENTION, JAMBA_MAMBA1 } from './jamba';
import {
  type BlockKind,
  DIFFERENTIAL_KINDS,
  type DifferentialKind,
  type HybridKind,
  type PlainKind,
  type SingleKind,
} from './kinds';
import { MAMBA1 } from './mamba1';
import { MAMBA2 } from './mamba2';
import { NEMOTRON_H_ATTENTION, NEMOTRON_H_MLP } from './nemotron_h';
import type {
  Anatomy,
  Architecture,
  BlockConfig,
  Difference,
  DifferentialArchitecture,
  DifferentialBlock,
  Family,
  LambdaForm,
  MixerConfig,
  PlainArchitecture,
} from './types';

/** Every kind of block and what it is; whatever else is known of a kind follows from its entry. */
export const ARCHITECTURES: Readonly<
  Record<PlainKind | HybridKind, PlainArchitecture> & Record<DifferentialKind, DifferentialArchitecture>
> = {
  mamba1: MAMBA1,
  mamba2: MAMBA2,
  falcon_mamba: FALCON_MAMBA,
  diff_mamba1: DIFF_MAMBA1,
  diff_mamba2: DIFF_MAMBA2,
  diff_mamba2e: DIFF_MAMBA2E,
  diff_s6: DIFF_S6,
  diff_s6_mamba2: DIFF_S6_MAMBA2,
  granite_mamba2: GRANITE_MAMBA2,
  granite_attention: GRANITE_ATTENTION,
  falcon_h1: FALCON_H1,
  bamba_mamba2: BAMBA_MAMBA2,
  bamba_attention: BAMBA_ATTENTION,
  nemotron_h_attention: NEMOTRON_H_ATTENTION,
  nemotron_h_mlp: NEMOTRON_H_MLP,
  jamba_mamba1: JAMBA_MAMBA1,
  jamba_attention: JAMBA_ATTENTION,
};

export const architectureOf = ({ kind }: { readonly kind: BlockKind }): Architecture => ARCHITECTURES[kind];

export const anatomyOf = ({ kind }: { readonly kind: BlockKind }): Anatomy => ARCHITECTURES[kind].anatomy;

/** Which recurrence the mixers of a kind have, and so which sizes; undefined where it has none. */
export const familyOf = (kind: BlockKind): Family | undefined => ARCHITECTURES[kind].anatomy.scans[0]?.family;

export const differenceOf = ({ kind }: Pick<DifferentialBlock, 'kind'>): Difference =>
  ARCHITECTURES[kind].anatomy.difference;

export const isDifferentialKind = (kind: BlockKind): kind is DifferentialKind =>
  (DIFFERENTIAL_KINDS as readonly BlockKind[]).includes(kind);

/** What a difference may be told beyond its kind. */
export interface DifferenceSettings {
  /** Default: the published form. */
  readonly lambda?: LambdaForm;
  readonly lambdaInit: number;
  readonly subln: boolean;
}

/**
 * A block of a kind. What a plain block has no use for is left out; a difference that is not scaled has λ_init 0 and no
 * subln, and its λ, which has no parameters, is a constant.
 */
export function blockOf(kind: SingleKind, mixer: MixerConfig, settings: DifferenceSettings): BlockConfig {
  if (!isDifferentialKind(kind)) return { kind, mixer };
  const { subln: weight, lambda: published } = ARCHITECTURES[kind].anatomy.difference;
  const { lambda = published, lambdaInit, subln } = settings;
  if (weight !== undefined) return { kind, mixer, lambda, lambdaInit, subln };
  return { kind, mixer, lambda: typeof lambda === 'object' ? lambda : published, lambdaInit: 0, subln: false };
}
