import type * as tf from '@tensorflow/tfjs';
import { kernels } from '../addon';
import { type Overrides, sizeOf } from '../override';

/** What `adamwStep` and `sumOfSquares` of `kernels/ops` call; the moments are arrays of the host. */
export const adamw: Overrides = {
  AdamW: ({ backend, inputs: { theta, g }, attrs: { m, v, numbers } }) => {
    const y = backend.allocate(sizeOf(theta.shape));
    kernels.adamw(backend.floats(theta), backend.floats(g), m, v, y, ...numbers);
    return backend.output(theta.shape, y);
  },

  SumOfSquares: ({ backend, inputs }) => {
    const tensors = inputs as unknown as tf.TensorInfo[];
    const parts = new Float32Array(2 * tensors.length);
    tensors.forEach((tensor, i) => {
      kernels.sumOfSquares(backend.floats(tensor), parts.subarray(2 * i, 2 * i + 2));
    });
    return backend.output([parts.length], parts);
  },
};
