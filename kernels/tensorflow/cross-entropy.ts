import * as tf from '@tensorflow/tfjs';
import type { ComposedKernel } from './kernel';

/** Mean cross entropy of the labelled rows, and log-sum-exp of every row. Floor: 4 bytes of traffic a logit. */
export const crossEntropy: ComposedKernel = ({ logits, labels }) => {
  const [rows, V] = logits.shape;
  checkLabels(labels, V);
  const { valid, count } = labelled(labels);
  const logSumExp = tf.logSumExp(logits, 1);
  const column = tf.maximum(labels, tf.scalar(0, 'int32'));
  const picked = tf.gatherND(logits, tf.stack([tf.range(0, rows, 1, 'int32'), column], 1));
  return [logSumExp.sub(picked).mul(valid).sum().div(count), logSumExp];
};

/** (softmax − onehot) · dy / count in labelled rows, 0 elsewhere. Floor: 8 bytes of traffic a logit. */
export const crossEntropyGrad: ComposedKernel = ({ logits, labels, logSumExp, dy }) => {
  const { valid, count } = labelled(labels);
  const softmax = logits.sub(logSumExp.expandDims(1)).exp();
  const onehot = tf.oneHot(labels as tf.Tensor1D, logits.shape[1] as number, 1, 0, 'float32');
  return [softmax.sub(onehot).mul(valid.mul(dy.div(count)).expandDims(1))];
};

/** 1 for rows with a label, 0 for others; and their number, at least 1. */
function labelled(labels: tf.Tensor) {
  const valid = tf.cast(tf.greaterEqual(labels, tf.scalar(0, 'int32')), 'float32');
  return { valid, count: tf.maximum(valid.sum(), tf.scalar(1)) };
}

/** @throws RangeError where a label is not below V; reads the labels back. */
function checkLabels(labels: tf.Tensor, V: number): void {
  const row = labels.dataSync().findIndex((label) => label >= V);
  if (row >= 0)
    throw new RangeError(`crossEntropy: label ${labels.dataSync()[row]} of row ${row} is not below V = ${V}`);
}
