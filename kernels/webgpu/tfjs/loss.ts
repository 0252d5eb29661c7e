import type * as tf from '@tensorflow/tfjs';
import { type Backend, discard } from '../program';
import { crossEntropyGrad } from '../programs/cross-entropy-grad';
import { logSumExp } from '../programs/log-sum-exp';
import { meanLoss } from '../programs/mean-loss';
import { sumParts } from '../programs/sum-parts';
import type { Kernel } from './kernel';

/** Labels that are still on the host are checked; of others the loss is NaN, because to look would be to wait. */
function checkLabels(backend: Backend, labels: tf.TensorInfo, V: number): void {
  const values = backend.tensorMap.get(labels.dataId).values as Int32Array | null;
  const row = values?.findIndex((label) => label >= V) ?? -1;
  if (values && row >= 0)
    throw new RangeError(`crossEntropy: label ${values[row]} of row ${row} is not below V = ${V}`);
}

export const loss = {
  CrossEntropy: ({ backend, inputs: { logits, labels } }) => {
    checkLabels(backend, labels, logits.shape[1]);
    const rows = logSumExp(backend, logits);
    const mean = meanLoss(backend, logits, labels, rows);
    const scalar = sumParts(backend, mean, { shape: [] });
    discard(backend, mean);
    return [scalar, rows];
  },

  CrossEntropyGrad: ({ backend, inputs: { logits, labels, logSumExp: rows, dy } }) => {
    const mean = meanLoss(backend, logits, labels, rows);
    const gradient = crossEntropyGrad(backend, { logits, labels, logSumExp: rows, loss: mean, dy });
    discard(backend, mean);
    return [gradient];
  },
} satisfies Record<string, Kernel>;
