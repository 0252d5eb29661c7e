import * as tf from '@tensorflow/tfjs';
import { rmsNorm } from '@/kernels/ops';
import type { Hook, Model } from '@/lib/models';
import type { AttributionMetric } from '@/lib/vocabulary';
import { tidied } from '../tidied';
import { type Captured, keeping, valuesOf } from './continuation';
import type { Question } from './question';

/** What the measure of an answer is at a residual stream, and how fast it changes with it. */
export interface Measured {
  readonly value: number;
  /** [d] */
  readonly gradient: Float32Array;
}

/**
 * A measure of the answer as a tensor, differentiable in the logits [V]; definitions of {@link PATCH_METRICS}.
 * @param clean logits [V] of the clean run
 */
export function measureTensor(
  logits: tf.Tensor1D,
  { target, foil, metric }: Question & { readonly metric: AttributionMetric },
  clean: Float32Array,
): tf.Scalar {
  const at = (id: number) => logits.slice([id], [1]).sum() as tf.Scalar;
  const logprob = () => at(target).sub(tf.logSumExp(logits)) as tf.Scalar;
  switch (metric) {
    case 'logit_difference':
      return at(target).sub(at(foil as number));
    case 'target_logit':
      return at(target);
    case 'margin': {
      const itself = tf.oneHot(tf.scalar(target, 'int32'), logits.size).mul(-1e30);
      return at(target).sub(logits.add(itself).max());
    }
    case 'target_logprob':
      return logprob();
    case 'target_prob':
      return tf.exp(logprob());
    case 'kl': {
      const held = tf.tensor1d(clean);
      const log = held.sub(tf.logSumExp(held));
      return tf
        .exp(log)
        .mul(log.sub(logits.sub(tf.logSumExp(logits))))
        .sum();
    }
  }
}

/** The measure at the last residual stream [d] of the token that is read, and its gradient there. Cost: one unembedding, and its backward pass. */
export function measuredAt(
  model: Model,
  stream: Float32Array,
  question: Question & { readonly metric: AttributionMetric },
  clean: Float32Array,
): Measured {
  const { d, vocabulary } = model.config;
  return tidied(() => {
    const measure = (h: tf.Tensor) =>
      measureTensor(
        model
          .unembed(h as tf.Tensor3D)
          .reshape([-1])
          .slice([0], [vocabulary]) as tf.Tensor1D,
        question,
        clean,
      );
    const { value, grad } = tf.valueAndGrad(measure)(tf.tensor3d(stream, [1, 1, d]));
    return { value: value.dataSync()[0], gradient: (grad.dataSync() as Float32Array).slice() };
  });
}

/** One block's gradients of a measure, all over the tokens of one prompt. */
export interface BlockGradients {
  /** With respect to the stream that enters the block, [L,d]. */
  readonly stream: Float32Array;
  /** With respect to what stands at these hook points. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** What stood at the points that were watched. */
  readonly seen: ReadonlyMap<string, Captured>;
}

/**
 * Runs block i once more over its stream h [L,d], on a tape, and takes the gradient dy [L,d] with respect to what leaves it back to
 * what enters it and to these hook points.
 *
 * Cost: the block forward and backward, without gradients of weights. Memory: the activations of that one block.
 */
export function blockGradients(
  model: Model,
  i: number,
  h: Float32Array,
  dy: Float32Array,
  { points, watched = [] }: { readonly points: readonly string[]; readonly watched?: readonly string[] },
): BlockGradients {
  const { d } = model.config;
  const L = h.length / d;
  const gradients = new Map<string, Float32Array>();
  const { kept, keep } = keeping();
  return tidied(() => {
    const through = (stream: tf.Tensor) => {
      const hooks = [
        ...watched.map((name): Hook => [name, keep]),
        ...points.map((name): Hook => [name, (value) => told(value, (dy) => void gradients.set(name, dy))]),
      ];
      const run = model.blocksFrom(stream as tf.Tensor3D, i, hooks);
      const left = (run.next().value as { residual: tf.Tensor3D }).residual.clone();
      run.return(left);
      return left;
    };
    const stream = valuesOf(tf.grad(through)(tf.tensor3d(h, [1, L, d]), tf.tensor3d(dy, [1, L, d])));
    return { stream, gradients, seen: kept };
  });
}

/** The same tensor, which tells its gradient: 0 until more is known. */
function told(value: tf.Tensor, tell: (gradient: Float32Array) => void): tf.Tensor {
  tell(new Float32Array(value.size));
  return tf.customGrad((x) => ({
    value: (x as tf.Tensor).clone(),
    gradFunc: (dy) => {
      tell((dy.dataSync() as Float32Array).slice());
      return dy;
    },
  }))(value);
}

/** What block i reads of a residual stream [L,d], behind its norm. */
export function normedInput({ parameters, config }: Model, i: number, h: Float32Array): Float32Array {
  const weight = parameters.get(`backbone.layers.${i}.norm.weight`) as unknown as tf.Tensor1D;
  const { d, epsilon } = config;
  return valuesOf(tf.tidy(() => rmsNorm(tf.tensor3d(h, [1, h.length / d, d]), weight, { epsilon })));
}
