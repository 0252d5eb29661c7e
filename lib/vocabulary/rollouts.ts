/** What can be multiplied over layers: shares of the residual stream, and what Ali et al. published (docs/analyses.md). */
export const ROLLOUT_METHODS = ['norm', 'alti', 'plain', 'normalised', 'attribution', 'attribution_code'] as const;
export type RolloutMethod = (typeof ROLLOUT_METHODS)[number];

interface Said {
  readonly method: RolloutMethod;
  readonly reduce: string;
  readonly start: number;
  readonly target?: number;
  readonly position: number;
}

/** Whether a method weighs its maps with the gradient of a logit. */
export const isWeighed = (method: RolloutMethod): boolean => method === 'attribution' || method === 'attribution_code';

/** Whether a method multiplies shares, the residual stream's own among them. */
export const isOfShares = (method: RolloutMethod): method is 'norm' | 'alti' => method === 'norm' || method === 'alti';

/** Whether a method reads a reduction over channels. */
export const isReduced = (method: RolloutMethod): boolean => method === 'plain' || method === 'normalised';

/** What was multiplied over layers, in words. */
export function rolloutConvention({ method, reduce, start, target, position }: Said): string {
  const from = `over layers from ${start}, later layers on the left`;
  const weighed = `∇ the gradient of the logit of token ${target} at position ${position}`;
  switch (method) {
    case 'norm':
      return `product of the shares ‖c_ij + [i = j] h_i‖ / Σ_j ${from}: c_ij what source j adds at i through the block, h_i the residual stream before it, every norm frozen`;
    case 'alti':
      return `product of the shares max(0, ‖h′_i‖₁ − ‖h′_i − t_ij‖₁) / Σ_j ${from}: t_ij = c_ij + [i = j] h_i, c_ij what source j adds at i through the block, h and h′ the residual stream before and after it, every norm frozen`;
    case 'plain':
      return `product of I + ${reduce} of α ${from} (Ali et al.); α has no scale in the residual stream`;
    case 'normalised':
      return `product of I + ${reduce} of α, every row divided by its sum, ${from} (Ali et al., as in their code)`;
    case 'attribution':
      return `product of I + (mean ∇v ⊙ mean α)⁺ ${from} (Ali et al., as in their paper); ${weighed} by what enters the output projection`;
    case 'attribution_code':
      return `product of I + mean of α⁺ scaled to 0 … 1 ⊙ g_j, every row divided by its sum, ${from} (Ali et al., as in their code); g = max over channels of ∇⁺, scaled to 0 … 1, ${weighed} by the residual stream before each block`;
  }
}
