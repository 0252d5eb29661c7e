import type * as tf from '@tensorflow/tfjs';
import * as reference from '../reference';
import { blockFold, s6AttentionInput, ssdAttentionInput } from '../reference/cases';
import {
  type BlockFoldTensors,
  type BlockScan,
  blockAttention,
  blockColumns,
  blockStatistics,
} from './block-attention';
import type { OpCase } from './op-case';

/** What is asked of the folded maps: one of the reductions, some columns, or statistics. */
export type BlockQuestion =
  | { readonly reduce: reference.BlockReduction }
  | { readonly columns: reference.ColumnRange }
  | { readonly nearest: number };

export interface BlockCase {
  readonly L: number;
  /** Channels of an S6 scan, or of one head. */
  readonly E: number;
  /** An SSD scan of H heads and G groups in place of an S6 scan. */
  readonly heads?: { readonly H: number; readonly G: number };
  readonly N: number;
  readonly K: number;
  readonly D?: boolean;
  readonly weight?: boolean;
}

type Named = Record<string, tf.Tensor>;

function ask(of: BlockScan, tensors: Named, question: BlockQuestion): tf.Tensor {
  const fold = tensors as unknown as BlockFoldTensors;
  if ('reduce' in question) return blockAttention(of, fold, question.reduce);
  if ('columns' in question) return blockColumns(of, fold, question.columns);
  return blockStatistics(of, fold, question.nearest);
}

/** The folded maps of a random scan against the reference. */
export function blockCase(c: BlockCase, question: BlockQuestion): OpCase {
  const { L, heads, N, K } = c;
  const E = heads ? heads.H * c.E : c.E;
  const skips = c.D ? (heads?.H ?? E) : 0;
  const fold = blockFold(L, E, K, skips, c.weight ?? false);
  const scan = heads ? ssdAttentionInput(L, heads.H, heads.G, N) : s6AttentionInput(L, E, N);
  const shapes = heads
    ? { delta: [L, heads.H], A: [heads.H], B: [L, heads.G, N], C: [L, heads.G, N] }
    : { delta: [L, E], A: [E, N], B: [L, N], C: [L, N] };
  const optional = {
    ...(fold.D ? { D: { shape: [skips], values: fold.D as Float64Array } } : {}),
    ...(fold.weight ? { weight: { shape: [L, E], values: fold.weight as Float64Array } } : {}),
  };
  const of = (kind: 'S6' | 'Ssd', tensors: Named) => ({ kind, scan: tensors }) as unknown as BlockScan;
  return {
    name: `${heads ? 'ssd' : 's6'} block ${JSON.stringify({ ...c, ...question })}`,
    inputs: {
      ...Object.fromEntries(
        (['delta', 'A', 'B', 'C'] as const).map((name) => [
          name,
          { shape: shapes[name], values: Float64Array.from(scan[name]) },
        ]),
      ),
      source: { shape: [L, E], values: fold.source as Float64Array },
      taps: { shape: [E, K], values: fold.taps as Float64Array },
      target: { shape: [L, E], values: fold.target as Float64Array },
      ...optional,
    },
    run: (t) => ask(of(heads ? 'Ssd' : 'S6', t), t, question),
    expected: expectedOf(scan, fold, question),
  };
}

function expectedOf(
  scan: reference.S6AttentionInput | reference.SsdAttentionInput,
  fold: reference.BlockFold,
  question: BlockQuestion,
): Float64Array {
  if ('H' in scan) {
    if ('reduce' in question) return reference.ssdBlockAttention(scan, fold, question.reduce);
    if ('columns' in question) return reference.ssdBlockColumns(scan, fold, question.columns);
    return reference.ssdBlockStatistics(scan, fold, question.nearest);
  }
  if ('reduce' in question) return reference.s6BlockAttention(scan, fold, question.reduce);
  if ('columns' in question) return reference.s6BlockColumns(scan, fold, question.columns);
  return reference.s6BlockStatistics(scan, fold, question.nearest);
}

const QUESTIONS: readonly BlockQuestion[] = [
  { reduce: 'sum' },
  { reduce: 'sum_abs' },
  { reduce: 'max_abs' },
  { columns: { first: 2, count: 3 } },
  { nearest: 4 },
];

/** Every question over small awkward shapes. */
export const smallBlockCases = (): OpCase[] => [
  blockCase({ L: 1, E: 1, N: 1, K: 1 }, { reduce: 'sum' }),
  blockCase({ L: 1, E: 2, heads: { H: 1, G: 1 }, N: 1, K: 4, D: true }, { nearest: 2 }),
  blockCase({ L: 2, E: 3, N: 5, K: 4, D: true, weight: true }, { reduce: 'max_abs' }),
  ...QUESTIONS.flatMap((question) => [
    blockCase({ L: 9, E: 5, N: 3, K: 4, D: true, weight: true }, question),
    blockCase({ L: 9, E: 3, heads: { H: 4, G: 2 }, N: 5, K: 3, D: true, weight: true }, question),
  ]),
];

/** Every question beyond one tile, one vector and one task; sums also over several strips and with folds wider than those. */
export const largeBlockCases = (): OpCase[] => [
  blockCase({ L: 1, E: 37, N: 16, K: 4, D: true, weight: true }, { reduce: 'sum' }),
  blockCase({ L: 3, E: 9, N: 2, K: 4, D: true }, { reduce: 'sum' }),
  blockCase({ L: 257, E: 19, N: 16, K: 4, D: true, weight: true }, { reduce: 'sum' }),
  blockCase({ L: 192, E: 3, N: 7, K: 2 }, { reduce: 'sum' }),
  blockCase({ L: 200, E: 5, N: 3, K: 130, D: true, weight: true }, { reduce: 'sum' }),
  ...QUESTIONS.flatMap((question) => [
    blockCase({ L: 101, E: 37, N: 6, K: 4, D: true, weight: true }, question),
    blockCase({ L: 77, E: 5, N: 16, K: 1 }, question),
    blockCase({ L: 83, E: 5, heads: { H: 20, G: 2 }, N: 7, K: 4, D: true, weight: true }, question),
    blockCase({ L: 59, E: 1, heads: { H: 3, G: 1 }, N: 19, K: 1 }, question),
  ]),
];
