import * as tf from '@tensorflow/tfjs';
import { crossEntropy } from '@/kernels/ops';
import type { Batch } from '@/lib/data/batches';
import type { Model } from '@/lib/models';

export interface LossWeights {
  readonly answers: number;
  readonly text: number;
}

/** The two mean cross-entropies of a batch, in nats, and their gradients as host arrays. */
export interface BatchGradients {
  readonly answers: number;
  readonly text: number;
  readonly gradients: Map<string, Float32Array>;
}

/**
 * Forward and backward pass over one batch: weights.answers · (cross-entropy of the answers) + weights.text ·
 * (cross-entropy of every next token).
 */
export function batchGradients(model: Model, batch: Batch, weights: LossWeights): BatchGradients {
  const names = [...model.parameters.keys()];
  const variables = [...model.parameters.values()];
  const parts: tf.Scalar[] = [];
  const { value, grads } = tf.variableGrads(() => {
    const rows = batch.B * batch.L;
    const logits = model.forward(tf.tensor2d(batch.tokens, [batch.B, batch.L], 'int32'));
    const flat = logits.reshape([rows, model.config.V]) as tf.Tensor2D;
    const answers = crossEntropy(flat, tf.tensor1d(batch.answers, 'int32'));
    const text = crossEntropy(flat, tf.tensor1d(batch.labels, 'int32'));
    parts.push(tf.keep(answers.clone()), tf.keep(text.clone()));
    return answers.mul(weights.answers).add(text.mul(weights.text)) as tf.Scalar;
  }, variables);
  const gradients = new Map<string, Float32Array>();
  names.forEach((name, i) => {
    const gradient = grads[variables[i].name];
    if (gradient) gradients.set(name, Float32Array.from(gradient.dataSync()));
  });
  const [answers, text] = parts.map((part) => part.dataSync()[0]);
  tf.dispose([value, grads, parts]);
  return { answers, text, gradients };
}
