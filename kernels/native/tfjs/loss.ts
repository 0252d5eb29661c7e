import { kernels } from '../addon';
import type { Overrides } from '../override';
import { allocateLike } from './operands';

function requireBelow(V: number, labels: Int32Array, rows: number): void {
  const beyond = labels.findIndex((label) => label >= V);
  if (beyond >= 0)
    throw new RangeError(`crossEntropy: label ${labels[beyond]} of row ${beyond % rows} is not below V = ${V}`);
}

/** The cross entropy of `kernels/ops`; shapes were checked there, label values are checked here. */
export const loss: Overrides = {
  CrossEntropy: ({ backend, inputs: { logits, labels } }) => {
    const [rows, V] = logits.shape;
    const classes = backend.ints(labels);
    requireBelow(V, classes, rows);
    const mean = backend.allocate(1);
    const logSumExp = backend.allocate(rows);
    kernels.crossEntropy(backend.floats(logits), classes, mean, logSumExp, rows, V);
    return [backend.output([], mean), backend.output([rows], logSumExp)];
  },

  CrossEntropyGrad: ({ backend, inputs: { logits, labels, logSumExp, dy } }) => {
    const [rows, V] = logits.shape;
    const [gradient] = allocateLike(backend, logits);
    kernels.crossEntropyGrad(
      backend.floats(logits),
      backend.ints(labels),
      backend.floats(logSumExp),
      backend.floats(dy),
      gradient,
      rows,
      V,
    );
    return backend.output(logits.shape, gradient);
  },

  CrossEntropyTerms: ({ backend, inputs: { logits, labels }, attrs }) => {
    const [rows, V] = logits.shape;
    const classes = backend.ints(labels);
    requireBelow(V, classes, rows);
    const weights = Float32Array.from(attrs.weights as number[]);
    const [loss, means] = [backend.allocate(1), backend.allocate(weights.length)];
    const [gradient] = allocateLike(backend, logits);
    kernels.crossEntropyTerms(backend.floats(logits), classes, weights, loss, means, gradient, rows, V);
    return [backend.output([], loss), backend.output([weights.length], means), backend.output(logits.shape, gradient)];
  },

  HeadLoss: ({ backend, inputs: { x, head, labels }, attrs }) => {
    const [[rows, d], [V]] = [x.shape, head.shape];
    const classes = backend.ints(labels);
    requireBelow(V, classes, rows);
    const weights = Float32Array.from(attrs.weights as number[]);
    const [loss, means] = [backend.allocate(1), backend.allocate(weights.length)];
    const [dx, dhead] = allocateLike(backend, x, head);
    kernels.headLoss(
      ...[backend.floats(x), backend.floats(head), classes, weights],
      ...[loss, means, dx, dhead],
      ...[rows, V, d],
    );
    return [
      backend.output([], loss),
      backend.output([weights.length], means),
      backend.output(x.shape, dx),
      backend.output(head.shape, dhead),
    ];
  },
};
