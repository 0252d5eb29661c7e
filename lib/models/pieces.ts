import * as tf from '@tensorflow/tfjs';
import type { DecodingState } from './decoding-state';
import { disposeState } from './decoding-state';
import { type Memory, type Tap, withMemory } from './hooks';
import { rowsAt, type Tokens } from './positions';

/** Tokens that go through the blocks at a time; a longer text is read in pieces, so that memory stays flat. */
export const PIECE = 2048;

/** The residual stream after the last block [B,L,d], observed by a tap. */
export type ResidualStream = (tokens: Tokens, tap: Tap) => tf.Tensor3D;

export const START: DecodingState = { position: 0, tensors: new Map() };

/**
 * Runs ids [B,L] through the blocks, piece after piece, each from the state that the one before left behind.
 * Memory: the activations of one block and piece, two states, and what `keep` returns of each piece's residual stream.
 *
 * @returns what `keep` returned, and the state after the last token; both are the caller's, and so stays `given`
 */
export function readInPieces(
  residualStream: ResidualStream,
  ids: tf.Tensor2D,
  given: DecodingState,
  tap: Tap,
  keep: (residual: tf.Tensor3D, start: number) => tf.Tensor3D | undefined,
): { kept: tf.Tensor3D[]; state: DecodingState } {
  const L = ids.shape[1];
  const kept: tf.Tensor3D[] = [];
  let current = given;
  for (let start = 0; start < L; start += PIECE) {
    const next = new Map<string, tf.Tensor>();
    const width = Math.min(PIECE, L - start);
    const wanted = tf.tidy(() => {
      const piece = ids.slice([0, start], [-1, width]);
      return keep(residualStream(piece, withMemory(tap, memoryOf(current, next))), start);
    });
    if (wanted) kept.push(wanted as tf.Tensor3D);
    if (current !== given) disposeState(current);
    current = { position: current.position + width, tensors: next };
  }
  return { kept, state: current };
}

/** The residual stream of ids at these positions, or at all [B,positions,d], of a text that is read in pieces. */
export function readPositions(
  residualStream: ResidualStream,
  ids: tf.Tensor2D,
  tap: Tap,
  positions: readonly number[] | null,
): tf.Tensor3D {
  const found: number[] = [];
  const { kept, state } = readInPieces(residualStream, ids, START, tap, (h, start) => {
    if (!positions) return h;
    const here = positions.filter((position) => position >= start && position < start + h.shape[1]);
    found.push(...here);
    const within = here.map((position) => position - start);
    return here.length > 0 ? rowsAt(h, within) : undefined;
  });
  disposeState(state);
  const joined = kept.length === 1 ? kept[0] : tf.concat(kept, 1);
  if (!positions) return joined;
  const places = positions.map((position) => found.indexOf(position));
  return rowsAt(joined, places);
}

/** Stored tensors must outlive the scope of the block that makes them. */
const memoryOf = ({ position, tensors }: DecodingState, next: Map<string, tf.Tensor>): Memory => ({
  position,
  recall: (name) => tensors.get(name),
  store: (name, value) => void next.set(name, tf.keep(value)),
});
