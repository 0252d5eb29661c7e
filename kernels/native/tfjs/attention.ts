import { kernels } from '../addon';
import type { Overrides } from '../override';

/** Implicit attention of `kernels/ops`; inputs were checked there. */
export const attention: Overrides = {
  S6Attention: ({ backend, inputs: { delta, A, B, C }, attrs: { reduce, channel } }) => {
    const [L, E] = delta.shape;
    const N = A.shape[1];
    const map = backend.allocate(L * L);
    const operands = [delta, A, B, C].map((tensor) => backend.floats(tensor));
    if (reduce === 'mean') {
      const turned = backend.allocate(E * L);
      kernels.s6AttentionMean(...operands, map, turned, L, E, N);
      backend.recycle(turned);
    } else {
      const [first, last] = reduce === 'channel' ? [channel, channel] : [0, E - 1];
      kernels.s6AttentionRecurrent(...operands, map, L, E, N, reduce === 'mean_abs' ? 1 : 0, first, last);
    }
    return backend.output([L, L], map);
  },

  SsdAttention: ({ backend, inputs: { delta, A, B, C }, attrs: { reduce, head } }) => {
    const [L, H] = delta.shape;
    const [, G, N] = B.shape;
    const map = backend.allocate(L * L);
    const operands = [delta, A, B, C].map((tensor) => backend.floats(tensor));
    const reduction = ['mean', 'mean_abs', 'head'].indexOf(reduce);
    kernels.ssdAttention(...operands, map, L, H, G, N, reduction, head);
    return backend.output([L, L], map);
  },
};
