import type { BlockCache } from '@/lib/analysis/s6Attention';
import type { RunModel } from '@/lib/api/schemas';
import type { ModelConfig } from '@/lib/checkpoint';
import type { LensStatistic } from '@/lib/vocabulary';

/** What source tokens add to the residual stream at one token through one branch of a block. */
export interface KeptPart {
  /** By source token up to the one that is read, [position + 1, d]. */
  readonly sources: Float32Array;
  /** Of no token, from biases [d]; absent where there are none. */
  readonly free?: Float32Array;
}

/** What a run that another program has computed brings along, so that it is read where its weights are not. */
export interface Elsewhere {
  /** What computed it, for people. */
  readonly by: string;
  /** The logit lens of the run's target: statistics [entries, L], strongest tokens [entries, L, k]. */
  readonly lens: {
    readonly target: number;
    readonly candidates: readonly number[];
    readonly topIds: Int32Array;
    readonly topProbabilities: Float32Array;
    readonly statistics: Readonly<Record<LensStatistic, Float32Array>>;
  };
  /** Every block as the exact operator on its input, at one token. */
  readonly reads: {
    readonly position: number;
    /** What of the residual stream writes the logit of a token, by its id, the final norm as it was [d]. */
    readonly directions: ReadonlyMap<number, Float32Array>;
    /** Branch 1 and λ · branch 2 of differential blocks. */
    readonly blocks: readonly { readonly first: KeptPart; readonly second?: KeptPart }[];
  };
}

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
  /** Of a run that another program has computed. */
  readonly elsewhere?: Elsewhere;
}

/** True once every block has been computed. */
export const isComplete = ({ config, blocks }: ModelRecord) => blocks.length === config.blocks.length;
