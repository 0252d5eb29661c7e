/** What every checkpoint format is read into: one configuration and one set of named tensors. */

import type { BlockConfig } from '@/lib/architectures/types';

export { BLOCK_KINDS, type BlockKind } from '@/lib/architectures/kinds';
export {
  type BlockConfig,
  type DifferentialBlock,
  isDifferential,
  type LambdaForm,
  type MixerConfig,
  type PlainBlock,
  SUBLN_EPSILON,
} from '@/lib/architectures/types';

export const CHECKPOINT_FORMATS = [
  'hf-mamba',
  'hf-falcon-mamba',
  'hf-mamba2',
  'hf-diffmamba2',
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
  readonly epsilon: number;
  readonly tied: boolean;
  readonly blocks: readonly BlockConfig[];
}

export type StoredDtype = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** A weight, always float32 in memory; `dtype` is what the file held. */
export interface CheckpointTensor {
  /** The name in the file, before any renaming (`backbone.embedding.weight` in official checkpoints). */
  readonly sourceName: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  readonly data: Float32Array;
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
  /** Path of tokenizer.json where the folder has one. */
  readonly tokenizerPath?: string;
}

/** A checkpoint or input that cannot be used; the message is one sentence that says what is wrong and what to do. */
export class InputError extends Error {
  override readonly name = 'InputError';

  /** @param message may quote the input: what would not be read as a sentence is cut out of its middle */
  constructor(message: string, options?: ErrorOptions) {
    super(readable(message), options);
  }
}

const LONGEST_WORD = 256;
const LONGEST_SENTENCE = 1000;

/** A message without control characters, words of thousands of letters, and endless lists. */
export function readable(message: string): string {
  const printable = message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
  const words = printable.replace(/\S+/gu, (word) => shortened(word, LONGEST_WORD));
  return shortened(words, LONGEST_SENTENCE);
}

const shortened = (text: string, longest: number) =>
  text.length <= longest ? text : `${text.slice(0, longest * 0.6)}…${text.slice(-longest * 0.3)}`;
