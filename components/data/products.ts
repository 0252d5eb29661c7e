import type { RolloutMethod } from '@/lib/api/readings';
import type { Reduce } from '@/lib/api/schemas';
import { isReduced, isWeighed } from '@/lib/vocabulary';

/** Query parameters of a product over layers from one layer on. */
export function productQueryOf(
  method: RolloutMethod,
  of: {
    readonly model: number;
    readonly layer: number;
    readonly reduce: Reduce | undefined;
    readonly target: number | undefined;
    readonly position: number;
  },
) {
  const weighed = isWeighed(method);
  return {
    model: of.model,
    method,
    start: of.layer,
    reduce: isReduced(method) && of.reduce === 'mean_abs' ? ('mean_abs' as const) : undefined,
    target: weighed ? of.target : undefined,
    position: weighed ? of.position : undefined,
  };
}
