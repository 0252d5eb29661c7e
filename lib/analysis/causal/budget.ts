import { scansOf } from '@/lib/architectures/places';
import { InputError, type ModelConfig } from '@/lib/checkpoint/types';

/** Bytes that a causal test may take beside the weights unless its caller says otherwise. */
export const DEFAULT_MEMORY = 2 ** 30;

/** Tokens in one batch: more would only delay a cancel, which is seen after each block. */
const BATCH_TOKENS = 8192;

/** What a sweep will take, known before it runs. */
export interface Budget {
  /** Rows of one batch. */
  readonly rows: number;
  /** Largest number of bytes alive at a time beside the weights; counted generously, not measured. */
  readonly bytes: number;
}

export interface BudgetRequest {
  /** Tokens of a row. */
  readonly L: number;
  /** Rows that the sweep would like to run together. */
  readonly wanted: number;
  /** Residual streams that are kept. */
  readonly prompts: number;
  /** Further values held for the whole sweep, and for each row. */
  readonly extra?: { readonly fixed?: number; readonly perRow?: number };
  readonly limit?: number;
}

/**
 * Rows per batch such that kept streams and one block's intermediate tensors stay below the limit.
 * @throws InputError where not even one row fits.
 */
export function budgetOf(config: ModelConfig, { L, wanted, prompts, extra = {}, limit }: BudgetRequest): Budget {
  const most = limit ?? DEFAULT_MEMORY;
  const fixed = 4 * (prompts * (config.blocks.length + 1) * L * config.d + config.V + (extra.fixed ?? 0));
  const perRow = 4 * (blockValues(config, L) + config.V + (extra.perRow ?? 0));
  if (fixed + perRow > most)
    throw new InputError(
      `This needs about ${megabytes(fixed + perRow)} MB beside the weights and the limit is ${megabytes(most)} MB: shorten the prompt, or raise the limit.`,
    );
  const fitting = Math.floor((most - fixed) / perRow);
  const rows = Math.max(1, Math.min(wanted, fitting, Math.ceil(BATCH_TOKENS / L)));
  return { rows, bytes: fixed + rows * perRow };
}

export const megabytes = (bytes: number): number => Math.max(1, Math.ceil(bytes / 2 ** 20));

/** Values of one row that are alive within the largest block: streams, projections, and a dozen tensors of its width. */
export function blockValues({ blocks, d }: ModelConfig, L: number): number {
  const values = blocks.map((block) => {
    const { E, N, R, H, G } = block.mixer;
    const mixer = 12 * E + (H > 0 ? 4 * G * N + 2 * H : R + 4 * N);
    return L * (6 * d + scansOf(block).length * mixer);
  });
  return Math.max(...values);
}
