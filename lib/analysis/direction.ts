import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';

/**
 * The directions in which residual streams write the logits of tokens, the final norm frozen:
 * u_w(i) = s · W_U[w] ⊙ norm_f.weight / sqrt(mean(h_i²) + ε), s the model's scale of logits (1 in most), one [d] for every token and, within it, every row, in float64.
 * Reads the rows of the head that are named and no others.
 * @param residual last residual streams [rows,d]
 * @throws InputError for a token outside the vocabulary
 */
export function logitDirections(model: Model, residual: Float32Array, tokens: readonly number[]): Float64Array[] {
  const { d, V, epsilon, scales } = model.config;
  const stray = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < V));
  if (stray !== undefined)
    throw new InputError(`Token ${stray} is outside the vocabulary of ${model.name}: ids go from 0 to ${V - 1}.`);
  const scale = model.parameters.get('backbone.norm_f.weight')?.dataSync() as Float32Array;
  const rows = tf.tidy(() => tf.gather(model.head, tf.tensor1d([...tokens], 'int32')).dataSync()) as Float32Array;
  const norms = Array.from({ length: residual.length / d }, (_, i) => {
    let squares = 0;
    for (let c = i * d; c < (i + 1) * d; c++) squares += residual[c] ** 2;
    return Math.sqrt(squares / d + epsilon) / (scales?.logits ?? 1);
  });
  return tokens.flatMap((_, t) =>
    norms.map((norm) => Float64Array.from({ length: d }, (_, c) => (rows[t * d + c] * scale[c]) / norm)),
  );
}

/** The same of one token, row-major [rows,d]. */
export function logitDirection(model: Model, residual: Float32Array, token: number): Float32Array {
  const { d } = model.config;
  const direction = new Float32Array(residual.length);
  logitDirections(model, residual, [token]).forEach((row, i) => {
    direction.set(row, i * d);
  });
  return direction;
}
