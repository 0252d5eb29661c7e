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
