import * as tf from '@tensorflow/tfjs';
import type { Hook, Model } from '@/lib/models';

/** Logits [V] at the last token of one prompt. */
export function answer(model: Model, tokens: readonly number[], hooks: readonly Hook[] = []): Float32Array {
  return tf.tidy(() =>
    model
      .forward([[...tokens]], { hooks, logits: 'last' })
      .dataSync()
      .slice(),
  ) as Float32Array;
}

/** A question that causal tests ask of random models. */
export const question = { target: 3, foil: 7 };

/** z_target − z_foil of {@link question} at the last token. */
export function differenceOf(model: Model, tokens: readonly number[], hooks: readonly Hook[] = []): number {
  const logits = answer(model, tokens, hooks);
  return logits[question.target] - logits[question.foil];
}
