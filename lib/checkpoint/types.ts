/** What every checkpoint format is read into: one configuration and one set of named tensors. */

import type { BlockConfig } from '@/lib/architectures/types';
import type { StoredDtype } from '@/lib/safetensors/dtype';

export { ALL_KINDS, BLOCK_KINDS, type BlockKind, type SingleKind } from '@/lib/architectures/kinds';
export {
  type BlockConfig,
  type DifferentialBlock,
  type HybridBlock,
  isDifferential,
  isHybrid,
  type LambdaForm,
  type MixerConfig,
  type PlainBlock,
  SUBLN_EPSILON,
} from '@/lib/architectures/types';
export { InputError, readable } from '@/lib/input-error';
export type { StoredDtype } from '@/lib/safetensors/dtype';

export const CHECKPOINT_FORMATS = [
  'hf-mamba',
  'hf-falcon-mamba',
  'hf-mamba2',
  'hf-diffmamba2',
  'hf-granitemoehybrid',
  'hf-falcon-h1',
  'hf-bamba',
  'hf-nemotron-h',
  'hf-jamba',
  'official-mamba',
  'official-mamba2',
  'statescope',
] as const;

export type CheckpointFormat = (typeof CHECKPOINT_FORMATS)[number];

export interface ModelConfig {
  readonly format: CheckpointFormat;
  readonly d: number;
  /** Rows of the embedding, padding included. */
  readonly V: number;
  /**
   * Token ids that mean something, 0 to vocabulary − 1: those of the tokenizer, without one those that the config counts.
   * The rows from there to V are padding, of which no measure, ranking or choice of tokens knows.
   */
  readonly vocabulary: number;
  readonly epsilon: number;
  readonly tied: boolean;
  /** What the embedding and the logits are multiplied by, of models that do. */
  readonly scales?: { readonly embedding: number; readonly logits: number };
  readonly blocks: readonly BlockConfig[];
}

/** A weight; `dtype` is what the file held. */
export interface CheckpointTensor {
  /** The name in the file, before any renaming (`backbone.embedding.weight` in official checkpoints). */
  readonly sourceName: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  /** Its values. Of one that is kept in 16 bits a new array at each access. */
  readonly data: Float32Array;
  /** The bits of a bfloat16 or float16 tensor that is kept as it was stored. */
  readonly bits?: Uint16Array;
}

export interface Checkpoint {
  /** Folder it was read from. */
  readonly path: string;
  readonly name: string;
  readonly config: ModelConfig;
  /**
   * Keyed by the Hugging Face names of equations B (`backbone.embeddings.weight`,
   * `backbone.layers.0.mixer.in_proj.weight`, `lm_head.weight` only where untied, …).
   * A tied head has no entry of its own.
   */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly parameterCount: number;
  /** What a reader of any result must know: tensors and fields that were not used as the config says. */
  readonly warnings?: readonly string[];
  /** Path of tokenizer.json where the folder has one. */
  readonly tokenizerPath?: string;
}
