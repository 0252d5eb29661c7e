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
  if (tf.getKernel(TERMS, tf.getBackend()) && terms.length > 0) return followed(TERMS, { logits }, labels, terms);
  const means = labels.map((each) => crossEntropy(logits, each));
  const weighed = means.flatMap((mean, i) => (terms[i].weight > 0 ? [mean.mul(terms[i].weight)] : []));
  const loss = weighed.length > 0 ? weighed.reduce((sum, mean) => sum.add(mean)) : logits.sum().mul(0);
  return {
    loss: loss as tf.Scalar,
    means: tf.keep((means.length > 0 ? tf.stack(means) : tf.tensor1d([])) as tf.Tensor1D),
  };
}

/** The loss of a kernel that gives all terms of it and the gradients of its inputs in one go. */
function followed(
  kernel: string,
  inputs: Readonly<Record<string, tf.Tensor>>,
  labels: tf.Tensor1D[],
  terms: readonly LossTerm[],
): { loss: tf.Scalar; means: tf.Tensor1D } {
  const attributes = { weights: terms.map(({ weight }) => weight) };
  const names = Object.keys(inputs);
  let means: tf.Tensor1D | undefined;
  const follow = tf.customGrad((...given) => {
    const save = given.pop() as unknown as tf.GradSaveFunc;
    const named = Object.fromEntries(names.map((name, i) => [name, given[i] as tf.Tensor]));
    const outputs = tf.engine().runKernel(kernel, { ...named, labels: tf.stack(labels) }, attributes) as tf.Tensor[];
    const [value, each, ...gradients] = outputs;
    means = tf.keep(each as tf.Tensor1D);
    save(gradients);
    return {
      value,
      gradFunc: (dy: tf.Tensor, kept: tf.Tensor[]) => {
        const isOne = dy.dataSync()[0] === 1;
        return kept.map((gradient) => (isOne ? gradient.clone() : gradient.mul(dy)));
      },
    };
  });
  const loss = follow(...Object.values(inputs)) as tf.Scalar;
  return { loss, means: means as tf.Tensor1D };
}

/** Name under which a device may register a kernel that never holds the logits of all rows. */
const HEAD = 'HeadLoss';

/** Elements of a head beyond which sums of its gradient, one for each of some tasks, would take more memory than the logits. */
const LARGEST_HEAD = 1 << 21;

/**
 * {@link weightedCrossEntropy} of the logits x · headᵀ, for x [M,d] and head [V,d]; differentiable in both. A device that has a kernel
 * for it forms logits and their gradient a few rows at a time: they are never held as a whole.
 *
 * @throws as weightedCrossEntropy.
 */
export function headCrossEntropy(
  x: tf.Tensor2D,
  head: tf.Tensor2D,
  terms: readonly LossTerm[],
): { loss: tf.Scalar; means: tf.Tensor1D } {
  const op = 'headCrossEntropy';
  const [M, d] = requireRank(op, 'x', x, 'M,d');
  const [V] = requireRank(op, 'head', head, 'V,d');
  requireShape(op, 'head', head, 'V,d', [V, d]);
  const isHeld = !tf.getKernel(HEAD, tf.getBackend()) || head.size > LARGEST_HEAD || terms.length === 0;
  if (isHeld) return weightedCrossEntropy(tf.matMul(x, head, false, true), terms);
  const labels = terms.map((term) => tf.tensor1d(term.labels, 'int32'));
  for (const each of labels) requireShape(op, 'labels', each, 'M', [M], 'int32');
  return followed(HEAD, { x, head }, labels, terms);
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
