import type * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { DecodingState } from './decoding-state';
import { type Hook, listen } from './hooks';
import type { Model } from './model';
import { readInPieces, START } from './pieces';
import type { Tokens } from './positions';

/** What decoding needs of a model. */
export type Decoder = Pick<Model, 'tokenTensor' | 'residualStream' | 'unembed'>;

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
  const given = state ?? START;
  const ids = Array.isArray(tokens) ? model.tokenTensor(tokens) : (tokens as tf.Tensor2D);
  const [B, L] = ids.shape;
  checkBatch(given, B);
  const read = readInPieces(model.residualStream, ids, given, listen(hooks), (residual, start) => {
    const width = residual.shape[1];
    return start + width === L ? residual.slice([0, width - 1, 0], [-1, 1, -1]) : undefined;
  });
  if (ids !== tokens) ids.dispose();
  const [last] = read.kept;
  const logits = model.unembed(last, hooks);
  last.dispose();
  return { logits, state: read.state };
}

function checkBatch({ tensors }: DecodingState, B: number): void {
  for (const [name, { shape }] of tensors)
    if (shape[0] !== B)
      throw new InputError(
        `The state ${name} is of ${shape[0]} rows and the tokens are of ${B}: continue with the batch that it was made with.`,
      );
}
