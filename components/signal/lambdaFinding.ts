import type { BlockSummary } from '@/lib/api/schemas';

/** The block with the largest λ, and the λ that it was given at first. @returns undefined where no block has one yet. */
export function largestLambda(
  blocks: readonly Pick<BlockSummary, 'lambda' | 'lambdaInit'>[],
): { readonly layer: number; readonly lambda: number; readonly from: number } | undefined {
  let found: { layer: number; lambda: number; from: number } | undefined;
  for (const [layer, { lambda, lambdaInit }] of blocks.entries())
    if (lambda !== null && lambdaInit !== null && (!found || lambda > found.lambda))
      found = { layer, lambda, from: lambdaInit };
  return found;
}
