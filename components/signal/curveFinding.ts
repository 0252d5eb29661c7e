import type { Maybe } from '@/lib/figures/numbers';

/** What a curve shows first: its value at the output, and the block that changes it most. */
export interface CurveFinding {
  readonly output?: number;
  readonly layer?: number;
  /** From the entry before the block to the entry after it. */
  readonly change?: number;
}

const isNumber = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

/** @param values by column of the layer axis: embedding, blocks, output */
export function curveFinding(values: readonly Maybe[]): CurveFinding {
  const output = values[values.length - 1];
  let found: { layer: number; change: number } | undefined;
  for (let column = 1; column < values.length - 1; column++) {
    const [before, after] = [values[column - 1], values[column]];
    if (!isNumber(before) || !isNumber(after)) continue;
    const change = after - before;
    if (change !== 0 && (!found || Math.abs(change) > Math.abs(found.change))) found = { layer: column - 1, change };
  }
  return { ...(isNumber(output) && { output }), ...found };
}
