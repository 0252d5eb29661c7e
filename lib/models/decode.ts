import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import { type DecodingState, disposeState } from './decoding-state';
import { type Hook, listen, type Memory, withMemory } from './hooks';
import type { Model, Tokens } from './model';

/** What decoding needs of a model; those of the language-model suite have it too. */
export type Decoder = Pick<Model, 'tokenTensor' | 'residualStream' | 'unembed'>;

/** Tokens that go through the blocks at a time; a prompt longer than this is read in pieces, so that memory stays flat. */
const PIECE = 2048;

/**
 * Reads further tokens from a state (or from the start), all rows of the batch in step: one parallel pass over the
 * tokens given, whose cost does not depend on the length of the text behind the state.
 *
 * @returns logits after the last token [B,1,V] and the state behind it; the given state stays valid.
 * @throws InputError when the batch is not the state's.
 */
export function extend(
  model: Decoder,
  tokens: Tokens,
  state?: DecodingState,
  hooks: readonly Hook[] = [],
): { logits: tf.Tensor3D; state: DecodingState } {
  const given = state ?? { position: 0, tensors: new Map<string, tf.Tensor>() };
  const ids = Array.isArray(tokens) ? model.tokenTensor(tokens) : (tokens as tf.Tensor2D);
  const [B, L] = ids.shape;
  checkBatch(given, B);
  const tap = listen(hooks);
  let current = given;
  let last: tf.Tensor3D | undefined;
  for (let start = 0; start < L; start += PIECE) {
    const next = new Map<string, tf.Tensor>();
    const width = Math.min(PIECE, L - start);
    last?.dispose();
    last = tf.tidy(() => {
      const piece = ids.slice([0, start], [-1, width]);
      const residual = model.residualStream(piece, withMemory(tap, memoryOf(current, next)));
      return residual.slice([0, width - 1, 0], [-1, 1, -1]);
    });
    if (current !== given) disposeState(current);
    current = { position: current.position + width, tensors: next };
  }
  if (ids !== tokens) ids.dispose();
  const logits = model.unembed(last as tf.Tensor3D, hooks);
  last?.dispose();
  return { logits, state: current };
}

/** Stored tensors must outlive the scope of the block that makes them. */
const memoryOf = ({ position, tensors }: DecodingState, next: Map<string, tf.Tensor>): Memory => ({
  position,
  recall: (name) => tensors.get(name),
  store: (name, value) => void next.set(name, tf.keep(value)),
});

function checkBatch({ tensors }: DecodingState, B: number): void {
  for (const [name, { shape }] of tensors)
    if (shape[0] !== B)
      throw new InputError(
        `The state ${name} is of ${shape[0]} rows and the tokens are of ${B}: continue with the batch that it was made with.`,
      );
}
