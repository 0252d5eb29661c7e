import type { LensCell, LensColour } from '../charts/lensCells';

/** What B − A means for a colour: its unit, and the size at which colours saturate at the latest. */
export const DIFFERENCES: Record<LensColour, { readonly unit: string; readonly most: number }> = {
  top: { unit: 'probability of the top token', most: 1 },
  target: { unit: 'log₁₀ p(target), decades', most: 8 },
  rank: { unit: 'log₁₀ of the target’s rank, turned: above 0 ranks higher in B', most: 5 },
  entropy: { unit: 'entropy, nats', most: 12 },
  kl: { unit: 'KL to the output, nats', most: 12 },
};

/** B − A of one cell, in the unit of its colour; undefined where either model has no value. */
export function cellDifference(
  a: LensCell | undefined,
  b: LensCell | undefined,
  colour: LensColour,
): number | undefined {
  if (!a || !b) return undefined;
  const value = {
    top: () => b.topProb - a.topProb,
    target: () => Math.log10(b.targetProb) - Math.log10(a.targetProb),
    rank: () => Math.log10(a.targetRank) - Math.log10(b.targetRank),
    entropy: () => b.entropy - a.entropy,
    kl: () => b.kl - a.kl,
  }[colour]();
  return Number.isFinite(value) ? value : undefined;
}

/** Where the signed ramp ends, either way: the largest magnitude shown, within what the colour allows. */
export function differenceLimit(values: readonly (number | undefined)[], colour: LensColour): number {
  const largest = values.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  return Math.min(DIFFERENCES[colour].most, largest) || 1;
}
