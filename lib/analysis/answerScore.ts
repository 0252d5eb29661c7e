import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';

/**
 * ln p of a whole answer after a prompt: Σ_k ln p(a_k | prompt, a_1 … a_{k−1}), each token given those before it. Padding of the
 * vocabulary has no part in it. Cost: one forward pass over prompt and answer.
 * @param prompt read up to where the answer begins @param answer at least one token
 * @throws InputError for tokens that there are not
 */
export function answerLogprob(model: Model, prompt: readonly number[], answer: readonly number[]): number {
  const { V, vocabulary } = model.config;
  if (answer.length === 0) throw new InputError('The answer has no tokens: give at least one.');
  const stray = answer.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (stray !== undefined)
    throw new InputError(
      `Token id ${stray} is outside the vocabulary of ${model.name}: ids go from 0 to ${vocabulary - 1}.`,
    );
  const positions = answer.map((_, k) => prompt.length - 1 + k);
  const logits = tf.tidy(
    () => model.forward([[...prompt, ...answer.slice(0, -1)]], { logits: positions }).dataSync() as Float32Array,
  );
  return answer.reduce((sum, id, k) => {
    const row = logits.subarray(k * V, k * V + vocabulary);
    const top = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = row.reduce((all, value) => all + Math.exp(value - top), 0);
    return sum + row[id] - top - Math.log(total);
  }, 0);
}
