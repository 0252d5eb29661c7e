import { LENS_VALUES } from '../../ops';
import { kernels } from '../addon';
import type { Overrides } from '../override';

/** What `lensStatistics` of `kernels/ops` calls; inputs were checked there. */
export const lens: Overrides = {
  LensStatistics: ({ backend, inputs: { hidden, head, ids, targets }, attrs: { topK, vocabulary } }) => {
    const [S, C, d] = hidden.shape;
    const U = ids.shape[0];
    const statistics = backend.allocate(S * C * LENS_VALUES.length);
    const logits = backend.allocate(S * C * U);
    const topValues = backend.allocate(S * C * topK);
    const topIds = new Int32Array(S * C * topK);
    kernels.lensStatistics(
      backend.floats(hidden),
      backend.floats(head),
      backend.ints(ids),
      backend.ints(targets),
      statistics,
      logits,
      topValues,
      topIds,
      S,
      C,
      d,
      vocabulary,
      U,
      topK,
    );
    return [
      backend.output([S, C, LENS_VALUES.length], statistics),
      backend.output([S, C, U], logits),
      backend.output([S, C, topK], topValues),
      backend.makeTensorInfo([S, C, topK], 'int32', topIds),
    ];
  },
};
