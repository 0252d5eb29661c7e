import { kernels } from '../addon';
import type { Overrides } from '../override';

/** What `partSizes` of `kernels/ops` calls; inputs were checked there. */
export const partSizes: Overrides = {
  PartSizes: ({ backend, inputs: { parts, whole } }) => {
    const [rows, d] = parts.shape;
    const out = backend.allocate(3 * rows);
    kernels.partSizes(backend.floats(parts), backend.floats(whole), out, rows, d);
    return backend.output([rows, 3], out);
  },
};
