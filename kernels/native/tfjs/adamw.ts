import { kernels } from '../addon';
import { type Overrides, sizeOf } from '../override';

/** What `adamwStep` and `sumOfSquares` of `kernels/ops` call; the arrays of the host are attributes. */
export const adamw: Overrides = {
  AdamW: ({ backend, inputs: { theta }, attrs: { g, m, v, numbers } }) => {
    const y = backend.allocate(sizeOf(theta.shape));
    kernels.adamw(backend.floats(theta), g, m, v, y, ...numbers);
    return backend.output(theta.shape, y);
  },

  SumOfSquares: ({ backend, attrs }) => {
    const arrays = attrs.arrays as Float32Array[];
    const parts = new Float32Array(2 * arrays.length);
    arrays.forEach((x, i) => {
      kernels.sumOfSquares(x, parts.subarray(2 * i, 2 * i + 2));
    });
    return backend.output([parts.length], parts);
  },
};
