import type { Budget } from '@/lib/analysis';
import type { AllocationTask } from '@/lib/api/allocation';
import type { SnrTask } from '@/lib/api/analyses';
import type { FaithfulnessTask } from '@/lib/api/faithfulness';
import type { UsedTokenizer } from '@/lib/api/schemas';
import type { NextToken, Sampling } from '@/lib/generation';
import type { CausalTest } from './compute/causal/causal-tests';

/** Requests once they were checked against their models, what comes of them by and by, and how they are refused. */

interface Noted {
  /** What is to be said beside the numbers. */
  readonly note?: string;
  /** What reads the text of each model, where that is known. */
  readonly tokenizers?: Readonly<Record<string, UsedTokenizer>>;
}

/** A causal test that was checked against its model, with what it will take. */
export interface PreparedTest extends Noted {
  readonly model: string;
  readonly test: CausalTest;
  readonly budget: Budget;
}

/** SNR over a batch, not yet read by any model, with what it will take at most. */
export interface PreparedSnr extends Noted {
  readonly task: SnrTask;
  /** Examples that the batch holds. */
  readonly examples: number;
  readonly budget: Budget;
}

/** Allocation over a batch, not yet read by any model, with what it will take at most. */
export interface PreparedAllocations extends Noted {
  readonly allocation: AllocationTask;
  /** Examples that the batch holds. */
  readonly examples: number;
  readonly budget: Budget;
}

/** Deletion and insertion curves over a batch, not yet read by any model, with what they will take at most. */
export interface PreparedFaithfulness extends Noted {
  readonly faithfulness: FaithfulnessTask;
  /** Examples that the batch holds. */
  readonly examples: number;
  readonly budget: Budget;
}

export type PreparedAnalysis = PreparedTest | PreparedSnr | PreparedAllocations | PreparedFaithfulness;

/** A prompt that is to be continued, as token ids. */
export interface PreparedGeneration {
  readonly model: string;
  readonly tokens: readonly number[];
  readonly maxNewTokens: number;
  readonly sampling: Sampling;
  /** Most likely tokens told at each step. */
  readonly alternatives: number;
  readonly tokenizer?: UsedTokenizer;
}

/** A token that was generated, not yet in words. */
export interface ChosenToken extends NextToken {
  /** Place in the added text, from 0. */
  readonly index: number;
  readonly id: number;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly hint?: string;
}
