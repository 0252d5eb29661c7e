import * as tf from '@tensorflow/tfjs';
import { crossEntropies } from '@/kernels/ops';
import { disposeState } from './decoding-state';
import { silent } from './hooks';
import type { Model } from './model';
import { readInPieces, START } from './pieces';
import type { Tokens } from './positions';

/** Logits that are in memory at a time: 64 MB of them. */
const LOGITS = 2 ** 24;

/**
 * −ln p(token t+1 | tokens ≤ t) in nats of every row and position, [B, L−1] in row-major order; padding of the vocabulary has no
 * part in it. Memory does not grow with the text: blocks read it in pieces, and logits live for some positions at a time.
 * Cost: one forward pass.
 * @throws InputError for tokens that there are not
 */
export function tokenLosses(model: Model, tokens: Tokens): Float32Array {
  const ids = model.tokenTensor(tokens);
  const [B, L] = ids.shape;
  const losses = new Float32Array(B * (L - 1));
  const { V, vocabulary } = model.config;
  const most = Math.max(1, Math.floor(LOGITS / (B * V)));
  const { state } = readInPieces(model.residualStream, ids, START, silent, (residual, start) => {
    // The last token has no next one.
    const end = Math.min(residual.shape[1], L - 1 - start);
    for (let from = 0; from < end; from += most) {
      const count = Math.min(most, end - from);
      const own = tf.tidy(() => {
        const logits = model.unembed(residual.slice([0, from, 0], [-1, count, -1]));
        const labels = ids.slice([0, start + from + 1], [-1, count]).reshape([B * count]) as tf.Tensor1D;
        const known = logits.slice([0, 0, 0], [-1, -1, vocabulary]).reshape([B * count, vocabulary]) as tf.Tensor2D;
        return crossEntropies(known, labels).dataSync<'float32'>();
      });
      for (let b = 0; b < B; b++) losses.set(own.subarray(b * count, (b + 1) * count), b * (L - 1) + start + from);
    }
    return undefined;
  });
  disposeState(state);
  if (ids !== tokens) ids.dispose();
  return losses;
}
