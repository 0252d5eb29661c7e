import * as tf from '@tensorflow/tfjs';
import { crossEntropy } from '@/kernels/ops';
import type { Model } from './model';

/**
 * Next-token cross-entropy in nats: the mean over all B·(L−1) positions of −ln p(token t+1 | tokens ≤ t).
 * Differentiable; tokens int32 [B,L], L ≥ 2.
 */
export function nextTokenLoss(model: Model, tokens: tf.Tensor2D): tf.Scalar {
  const [B, L] = tokens.shape;
  const logits = model.forward(tokens, { joined: true }).slice([0, 0, 0], [-1, L - 1, -1]);
  const labels = tokens.slice([0, 1], [-1, L - 1]).reshape([B * (L - 1)]) as tf.Tensor1D;
  return crossEntropy(logits.reshape([B * (L - 1), model.config.V]) as tf.Tensor2D, labels);
}

/** The loss and its gradient with respect to every parameter, by canonical name. The caller disposes of them. */
export function lossAndGradients(
  model: Model,
  tokens: tf.Tensor2D,
): { loss: tf.Scalar; gradients: Map<string, tf.Tensor> } {
  const names = [...model.parameters.keys()];
  const variables = [...model.parameters.values()];
  const { value, grads } = tf.variableGrads(() => nextTokenLoss(model, tokens), variables);
  return { loss: value, gradients: new Map(names.map((name, i) => [name, grads[variables[i].name]])) };
}
