import * as tf from '@tensorflow/tfjs';
import { defineGradient, runKernel } from './registry';
import { requireRank, requireShape } from './validate';

/**
 * Mean over the labelled rows of −log softmax(logits)[label], in nats. logits float32 [M,V], labels int32 [M]; rows with
 * a negative label do not count, and with no labelled row the loss is 0. Differentiable in logits:
 * (softmax − onehot)/count, in one pass and without a softmax tensor.
 *
 * @throws OperandError where shapes or dtypes do not fit; RangeError where a label is not below V.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Scalar {
  const op = 'crossEntropy';
  const [M] = requireRank(op, 'logits', logits, 'M,V');
  requireShape(op, 'labels', labels, 'M', [M], 'int32');
  const [loss, logSumExp] = runKernel('CrossEntropy', { logits, labels });
  logSumExp.dispose();
  return loss as tf.Scalar;
}

defineGradient('CrossEntropy', 'CrossEntropyGrad', { constants: ['labels'], saveOutputs: [null, 'logSumExp'] });

/** A term of a loss: labels [M] as those of {@link crossEntropy}, and what their mean counts. */
export interface LossTerm {
  readonly labels: Int32Array;
  readonly weight: number;
}

/** Name under which a device may register a kernel that gives all terms and their gradient in one pass. */
const TERMS = 'CrossEntropyTerms';

/**
 * Σ weight · crossEntropy(logits, labels) over terms, and the mean of each term [terms], which has no gradient and is the caller's to
 * dispose of, whatever scope is around. A term of weight 0 is measured and not followed. Differentiable in logits.
 *
 * @throws OperandError where shapes or dtypes do not fit; RangeError where a label is not below V.
 */
export function weightedCrossEntropy(
  logits: tf.Tensor2D,
  terms: readonly LossTerm[],
): { loss: tf.Scalar; means: tf.Tensor1D } {
  const op = 'weightedCrossEntropy';
  const [M] = requireRank(op, 'logits', logits, 'M,V');
  const labels = terms.map((term) => tf.tensor1d(term.labels, 'int32'));
  for (const each of labels) requireShape(op, 'labels', each, 'M', [M], 'int32');
  if (tf.getKernel(TERMS, tf.getBackend()) && terms.length > 0) return inOnePass(logits, labels, terms);
  const means = labels.map((each) => crossEntropy(logits, each));
  const weighed = means.flatMap((mean, i) => (terms[i].weight > 0 ? [mean.mul(terms[i].weight)] : []));
  const loss = weighed.length > 0 ? weighed.reduce((sum, mean) => sum.add(mean)) : logits.sum().mul(0);
  return {
    loss: loss as tf.Scalar,
    means: tf.keep((means.length > 0 ? tf.stack(means) : tf.tensor1d([])) as tf.Tensor1D),
  };
}

function inOnePass(logits: tf.Tensor2D, labels: tf.Tensor1D[], terms: readonly LossTerm[]) {
  const attributes = { weights: terms.map(({ weight }) => weight) };
  let means: tf.Tensor1D | undefined;
  const follow = tf.customGrad((...given) => {
    const [values, save] = given as unknown as [tf.Tensor2D, tf.GradSaveFunc];
    const inputs = { logits: values, labels: tf.stack(labels) };
    const [value, each, gradient] = tf.engine().runKernel(TERMS, inputs, attributes) as tf.Tensor[];
    means = tf.keep(each as tf.Tensor1D);
    save([gradient]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) => (dy.dataSync()[0] === 1 ? kept.clone() : kept.mul(dy)),
    };
  });
  const loss = follow(logits) as tf.Scalar;
  return { loss, means: means as tf.Tensor1D };
}

/** −log softmax(logits)[label] of every row, [M], in nats; logits and labels as above, every row labelled. Not differentiable. */
export function crossEntropies(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const op = 'crossEntropies';
  const [M, V] = requireRank(op, 'logits', logits, 'M,V');
  requireShape(op, 'labels', labels, 'M', [M], 'int32');
  return tf.tidy(() => {
    const [, logSumExp] = runKernel('CrossEntropy', { logits, labels });
    const places = tf.range(0, M, 1, 'int32').mul(tf.scalar(V, 'int32')).add(labels);
    return logSumExp.sub(tf.gather(logits.reshape([M * V]), places)) as tf.Tensor1D;
  });
}
