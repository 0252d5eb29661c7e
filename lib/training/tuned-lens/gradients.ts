import * as tf from '@tensorflow/tfjs';
import type { Residuals, Translator } from '@/lib/analysis';
import type { Model } from '@/lib/models';

/** Logits in one slab; about four slabs are alive at a time. */
const SLAB = 2 ** 22;

export interface TranslatorGradient {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/**
 * Adds to `gradients`, one per block, the gradients of Σ_tokens KL(final ‖ lens_k)/`tokens` of every translator k, where
 * lens_k = softmax(head(norm_f(h + W_k h + b_k))) of the output h of block k and `final` is the model's own distribution.
 * Norm and head are constants; rows of the head that are padding are left out. Works through slabs of positions: logits of one layer and slab exist at a time.
 * Cost: three unembeddings of every token and layer.
 * @returns the loss of each translator over these tokens, as its share of the mean over `tokens`
 */
export function addGradients(
  model: Model,
  { B, L, streams }: Residuals,
  translators: readonly Translator[],
  gradients: readonly TranslatorGradient[],
  tokens: number,
): number[] {
  const { d, vocabulary } = model.config;
  const losses = translators.map(() => 0);
  const rows = Math.max(1, Math.floor(SLAB / vocabulary));
  for (let start = 0; start < B * L; start += rows) {
    const end = Math.min(B * L, start + rows);
    const slab = (stream: Float32Array) => tf.tensor2d(stream.slice(start * d, end * d), [end - start, d]);
    tf.tidy(() => {
      const head = model.head.slice([0, 0], [vocabulary, d]);
      const final = logDistribution(model, head, slab(streams[streams.length - 1]));
      const shares = tf.exp(final);
      translators.forEach((translator, k) => {
        losses[k] += tf.tidy(() => {
          const { loss, dW, db } = gradientAt(model, head, slab(streams[k + 1]), translator, final, shares, tokens);
          accumulate(gradients[k].weight, dW);
          accumulate(gradients[k].bias, db);
          return loss.dataSync()[0] / tokens;
        });
      });
    });
  }
  return losses;
}

const logDistribution = (model: Model, head: tf.Tensor2D, h: tf.Tensor2D) => {
  const logits = tf.matMul(model.readout(h), head, false, true);
  return logits.sub(tf.logSumExp(logits, 1, true)) as tf.Tensor2D;
};

/** The gradient with respect to the logits, (p − f)/tokens, is known; only norm and translator are differentiated. */
function gradientAt(
  model: Model,
  head: tf.Tensor2D,
  h: tf.Tensor2D,
  { weight, bias }: Translator,
  final: tf.Tensor2D,
  shares: tf.Tensor2D,
  tokens: number,
) {
  const { d } = model.config;
  const normed = (W: tf.Tensor2D, b: tf.Tensor1D) => model.readout(h.add(tf.matMul(h, W, false, true)).add(b));
  const [W, b] = [tf.tensor2d(weight, [d, d]), tf.tensor1d(bias)];
  const logits = tf.matMul(normed(W, b) as tf.Tensor2D, head, false, true);
  const seen = logits.sub(tf.logSumExp(logits, 1, true));
  const loss = shares.mul(final.sub(seen)).sum();
  const dNormed = tf.matMul(tf.exp(seen).sub(shares).div(tokens) as tf.Tensor2D, head);
  const [dW, db] = tf.grads(normed as never)([W, b], dNormed) as [tf.Tensor2D, tf.Tensor1D];
  return { loss, dW, db };
}

function accumulate(sum: Float32Array, part: tf.Tensor): void {
  const values = part.dataSync();
  for (let i = 0; i < sum.length; i++) sum[i] += values[i];
}
