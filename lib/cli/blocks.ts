import { layersOf as requireLayers } from '@/lib/analysis';
import { type Checkpoint, InputError, type ModelConfig } from '@/lib/checkpoint';
import { type InputOptions, readTokens, requireEqualLengths } from './input';
import { indices } from './parse';

/** One row of the input. @throws InputError where there is no such row. */
export async function rowOf(options: InputOptions, index: number, checkpoint: Checkpoint): Promise<number[]> {
  return rowAt(requireEqualLengths(await readTokens(options, checkpoint)), index);
}

/** The row of `--batch-index`. @throws InputError where there is no such row. */
export function rowAt(rows: readonly number[][], index: number): number[] {
  const row = rows[index];
  if (row) return row;
  throw new InputError(`--batch-index ${index} is not there: rows go from 0 to ${rows.length - 1}.`);
}

/** The layers of `--layers`, in order. @throws InputError where the model lacks one. */
export const layersOf = (text: string, config: ModelConfig): readonly number[] =>
  requireLayers({ config }, text === 'all' ? undefined : indices('--layers')(text));
