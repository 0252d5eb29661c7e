import type { BlockCache } from '@/lib/analysis/s6Attention';
import type { RunModel } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';

/** What one model of a run left behind; grows layer by layer while the run computes. */
export interface ModelRecord {
  readonly request: RunModel;
  readonly config: ModelConfig;
  /** Of the weights that computed it: the lens of a finished run must use the same. */
  readonly fingerprint: string;
  readonly L: number;
  /** Residual streams [L,d]: the embedding, then the output of every finished block. */
  readonly residuals: Float32Array[];
  /** S6 inputs and outputs of every finished block. */
  readonly blocks: BlockCache[];
}

/** True once every block has been computed. */
export const isComplete = ({ config, blocks }: ModelRecord) => blocks.length === config.blocks.length;
