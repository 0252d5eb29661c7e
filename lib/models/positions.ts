import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';

/** Token ids, [B][L] or an int32 tensor [B,L]. */
export type Tokens = tf.Tensor2D | readonly (readonly number[])[];

/** Which positions to unembed: all, the last one, or those of a list, in its order. */
export type LogitPositions = 'all' | 'last' | readonly number[];

/**
 * The positions that are meant in a text of L tokens.
 * @throws InputError where the list is empty or a position is not in the text
 */
export function positionsIn(wanted: Exclude<LogitPositions, 'all'>, L: number): readonly number[] {
  if (wanted === 'last') return [L - 1];
  if (wanted.length === 0) throw new InputError('No position is asked for: name at least one, or ask for all.');
  for (const position of wanted)
    if (!Number.isInteger(position) || position < 0 || position >= L)
      throw new InputError(`The position ${position} is not in the text: positions go from 0 to ${L - 1}.`);
  return wanted;
}

/** The rows of h [B,L,d] at these positions [B,count,d], in their order; no copy where that is all of h. */
export function rowsAt(h: tf.Tensor3D, positions: readonly number[]): tf.Tensor3D {
  const [first] = positions;
  if (positions.every((position, i) => position === first + i))
    return h.slice([0, first, 0], [-1, positions.length, -1]);
  return tf.tidy(() => tf.gather(h, tf.tensor1d([...positions], 'int32'), 1));
}
