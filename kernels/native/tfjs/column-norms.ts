import { kernels } from '../addon';
import type { Overrides } from '../override';

/** What `columnNorms` of `kernels/ops` calls; inputs were checked there. */
export const columnNorms: Overrides = {
  ColumnNorms: ({ backend, inputs: { W1, P1, W2, P2 } }) => {
    const [E, rows, count] = P1.shape;
    const out = backend.allocate(rows * count);
    const second = W2 ? [backend.floats(W2), backend.floats(P2)] : [null, null];
    kernels.columnNorms(
      ...[backend.floats(W1), backend.floats(P1), ...second, out],
      ...[W1.shape[0], E, W2 ? P2.shape[0] : 0, rows, count],
    );
    return backend.output([rows, count], out);
  },
};
