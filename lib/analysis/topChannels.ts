import * as tf from '@tensorflow/tfjs';
import { blockColumns } from '@/kernels/ops';
import { InputError } from '@/lib/checkpoint/types';
import { blockScan, foldedScan } from './blockFold';
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
  const { L, E } = inputs;
  if (!(source >= 0 && source <= target && target < L))
    throw new InputError(
      `There is no read of token ${source} at token ${target}: choose 0 ≤ source ≤ target ≤ ${L - 1}.`,
    );
  const range = { first: source, count: 1 };
  const values = tidied(() => {
    const column = parameters ? foldedColumn() : plainColumn();
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

  function foldedColumn() {
    const { of, fold } = foldedScan(inputs, parameters as ScanParameters);
    return blockColumns(of, fold, range);
  }

  function plainColumn() {
    const units = inputs.family === 'mamba1' ? E : inputs.H;
    const ones = (rows: number, columns: number) => tf.ones<tf.Rank.R2>([rows, columns]);
    const fold = { source: ones(L, units), target: ones(L, units), taps: ones(units, 1) };
    return blockColumns(blockScan(inputs, [0, E]), fold, range);
  }
}
