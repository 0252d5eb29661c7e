import * as tf from '@tensorflow/tfjs';
import { InputError } from '@/lib/checkpoint/types';
import type { Model } from '@/lib/models';
import { positionOf } from './causal/question';
import type { SnrExample } from './snrBatch';
import type { Steps } from './steps';

/**
 * ln p of every token of an answer after a prompt, given those before it: ln p(a_k | prompt, a_1 … a_{k−1}). Their sum is ln p of
 * the whole answer. Padding of the vocabulary has no part in it. Cost: one forward pass over prompt and answer.
 * @param prompt read up to where the answer begins @param answer at least one token
 * @throws InputError for tokens that there are not
 */
export function answerLogprobs(model: Model, prompt: readonly number[], answer: readonly number[]): Float64Array {
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
  return Float64Array.from(answer, (id, k) => {
    const row = logits.subarray(k * V, k * V + vocabulary);
    const top = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = row.reduce((all, value) => all + Math.exp(value - top), 0);
    return row[id] - top - Math.log(total);
  });
}

/** {@link answerLogprobs}, added. */
export const answerLogprob = (model: Model, prompt: readonly number[], answer: readonly number[]): number =>
  answerLogprobs(model, prompt, answer).reduce((sum, value) => sum + value, 0);

/** What is scored: a prompt, where its answer begins, and the answer. */
type Scored = Pick<SnrExample, 'tokens' | 'position' | 'target' | 'answer'>;

/** How many of these answers have several tokens. */
export const severalTokens = (examples: readonly Scored[]): number =>
  examples.filter(({ answer = [] }) => answer.length > 1).length;

/** ln p of every example's whole answer, from where it is read. Yields after each. Cost: a forward pass an example. */
export function* answerLogprobSteps(model: Model, examples: readonly Scored[]): Generator<Steps, Float64Array, void> {
  const found = new Float64Array(examples.length);
  for (const [k, { tokens, position = -1, target, answer = [target] }] of examples.entries()) {
    found[k] = answerLogprob(model, tokens.slice(0, positionOf(position, tokens.length) + 1), answer);
    yield { done: k + 1, total: examples.length };
  }
  return found;
}
