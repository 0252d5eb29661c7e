import type { Real } from './real';

/** Row-major arrays of one cross entropy; shapes in brackets. */
export interface CrossEntropyInput {
  readonly rows: number;
  readonly V: number;
  /** [rows,V] */
  readonly logits: Real;
  /** [rows]; negative labels are left out of the mean. */
  readonly labels: Int32Array;
}

/**
 * Mean over the labelled rows of −log softmax(logits)[label], in nats. Rows with a negative label do not count; with no
 * labelled row the loss is 0. `logSumExp` [rows] is what the gradient needs again.
 *
 * @throws RangeError where a label is not below V.
 */
export function crossEntropy({ rows, V, logits, labels }: CrossEntropyInput): {
  loss: number;
  logSumExp: Float64Array;
} {
  const logSumExp = new Float64Array(rows);
  let sum = 0;
  for (let m = 0; m < rows; m++) {
    if (labels[m] >= V) throw new RangeError(`crossEntropy: label ${labels[m]} of row ${m} is not below V = ${V}`);
    let max = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) max = Math.max(max, logits[m * V + v]);
    let total = 0;
    for (let v = 0; v < V; v++) total += Math.exp(logits[m * V + v] - max);
    logSumExp[m] = max + Math.log(total);
    if (labels[m] >= 0) sum += logSumExp[m] - logits[m * V + labels[m]];
  }
  return { loss: sum / Math.max(1, labelled(labels)), logSumExp };
}

/** Gradient of {@link crossEntropy} for the scalar `dy`: (softmax − onehot)·dy/count, zero in rows that do not count. */
export function crossEntropyGrad({ rows, V, logits, labels }: CrossEntropyInput, logSumExp: Real, dy: number) {
  const grad = new Float64Array(rows * V);
  const scale = dy / Math.max(1, labelled(labels));
  for (let m = 0; m < rows; m++) {
    if (labels[m] < 0) continue;
    for (let v = 0; v < V; v++) grad[m * V + v] = scale * Math.exp(logits[m * V + v] - logSumExp[m]);
    grad[m * V + labels[m]] -= scale;
  }
  return grad;
}

function labelled(labels: Int32Array): number {
  return labels.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0);
}
