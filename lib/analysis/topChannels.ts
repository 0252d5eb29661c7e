import { blockColumns } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import { alone, foldedScan } from './blockFold';
import { valuesOf } from './blockForm';
import type { ScanParameters } from './operator';
import type { S6Inputs } from './s6Inputs';
import { tidied } from './tidied';

/** One channel of an S6 scan or head of an SSD scan, or one channel of the whole-block form, at a pair of tokens. */
export interface ChannelValue {
  readonly index: number;
  readonly value: number;
}

export interface PairQuery {
  /** Target i. */
  readonly target: number;
  /** Source j ≤ i. */
  readonly source: number;
  readonly k: number;
}

/**
 * The k channels whose maps are largest in magnitude at one pair of tokens, strongest first.
 * @param parameters for the whole-block form; without them α itself, by channel (S6) or head (SSD)
 * Cost: O(E·L·N).
 * @throws InputError for a pair outside the text or above the diagonal, or where a value is not finite
 */
export function topChannels(
  inputs: S6Inputs,
  { target, source, k }: PairQuery,
  parameters?: ScanParameters,
): ChannelValue[] {
  const { L } = inputs;
  if (!(source >= 0 && source <= target && target < L))
    throw new InputError(
      `There is no read of token ${source} at token ${target}: choose 0 ≤ source ≤ target ≤ ${L - 1}.`,
    );
  const range = { first: source, count: 1 };
  const values = tidied(() => {
    const { of, fold } = parameters ? foldedScan(inputs, parameters) : alone(inputs);
    const column = blockColumns(of, fold, range);
    return valuesOf(column.slice([0, target - source, 0], [-1, 1, 1]));
  });
  if (!values.every(Number.isFinite))
    throw new InputError(
      `What token ${target} reads from token ${source} is not finite: look for NaN in the weights with "run --names all".`,
    );
  return [...values]
    .map((value, index) => ({ index, value }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, k);
}
