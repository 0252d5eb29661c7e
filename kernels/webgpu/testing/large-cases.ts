import type { OpCase } from '../../ops/op-case';
import { convCase, lossCase, normCase, s6AttentionCase, scanCase, ssdAttentionCase, ssdCase } from '../../ops/op-cases';

/** Shapes beyond one tile, chunk and workgroup, and never a multiple of any of them. */
export function largeCases(): OpCase[] {
  return [
    scanCase({ batch: 2, L: 37, E: 67, N: 19, D: true, z: true, softplus: true }),
    scanCase({ batch: 2, L: 70, E: 3, N: 16, initial: true, final: true }),
    ssdCase({ batch: 2, L: 70, H: 2, P: 33, G: 1, N: 37, D: true }),
    ssdCase({ batch: 2, L: 33, H: 4, P: 5, G: 2, N: 18, initial: true, final: true }),
    scanCase({ batch: 1, L: 40, E: 9, N: 4, extreme: true }),
    ssdCase({ batch: 1, L: 70, H: 6, P: 3, G: 2, N: 4, extreme: true }),
    convCase({ batch: 3, L: 37, E: 130, K: 4, bias: true, silu: true }),
    normCase({ rows: 35, E: 3 * 67, groups: 3, gate: true }),
    lossCase(70, 131),
    s6AttentionCase(75, 67, 5, 'mean'),
    s6AttentionCase(75, 5, 16, 'mean_abs'),
    s6AttentionCase(101, 3, 19, { channel: 1 }),
    ssdAttentionCase(101, 6, 2, 37, 'mean'),
    ssdAttentionCase(75, 6, 3, 5, 'mean_abs'),
    ssdAttentionCase(75, 6, 3, 5, { head: 4 }),
  ];
}
