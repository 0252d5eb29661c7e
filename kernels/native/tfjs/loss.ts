import { kernels } from '../addon';
import type { Overrides } from '../override';
import { allocateLike } from './operands';

/** The cross entropy of `kernels/ops`; shapes were checked there, label values are checked here. */
export const loss: Overrides = {
  CrossEntropy: ({ backend, inputs: { logits, labels } }) => {
    const [rows, V] = logits.shape;
    const classes = backend.ints(labels);
    const beyond = classes.findIndex((label) => label >= V);
    if (beyond >= 0) {
      throw new RangeError(`crossEntropy: label ${classes[beyond]} of row ${beyond} is not below V = ${V}`);
    }
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
};
