import type { LensCell } from '../charts/lensCells';

/** What a row of the lens says first: from which block on the target is the top token, or what stands above it. */
export interface LensFinding {
  /** The first layer of the axis from which on the target is the top token up to the output (`layers` is the output alone). */
  readonly from?: number;
  /** The output's top token, its probability, and the target's rank there. */
  readonly topId: number;
  readonly topProb: number;
  readonly rank: number;
}

/** @param cells by column of the layer axis: embedding, blocks, output. @returns undefined until the output is known. */
export function lensFinding(cells: readonly (LensCell | undefined)[], target: number): LensFinding | undefined {
  const output = cells[cells.length - 1];
  if (!output) return undefined;
  const { topId, topProb, targetRank: rank } = output;
  if (topId !== target) return { topId, topProb, rank };
  let from = cells.length - 2;
  for (let column = cells.length - 2; column >= 0 && cells[column]?.topId === target; column--) from = column - 1;
  return { from, topId, topProb, rank };
}
