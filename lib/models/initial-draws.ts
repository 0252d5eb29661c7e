/** Where numbers come from; a seeded generator makes a model reproducible. */
export interface RandomNumbers {
  uniform(from: number, to: number): number;
  normal(): number;
}

/** What draws each element of a tensor, given its position. */
export type Draw = (index: number) => number;

/** Δ starts log-uniform in this range (equations A1). */
export const TIME_STEP_RANGE = [1e-3, 0.1] as const;
const TIME_STEP_FLOOR = 1e-4;

/** x with softplus(x) = y. */
const inverseSoftplus = (y: number) => y + Math.log(-Math.expm1(-y));

/**
 * The first values of the parameters that every architecture draws alike (equations A1, A2, A4), by the end of their
 * name: A (−1 … −N in the rows of Mamba-1, −U(1, 16) for a head of Mamba-2), D (1), the bias of Δ (softplus⁻¹ of a
 * log-uniform step), λ (the published N(0, 1)) and the scales of norms (1). Undefined for all others.
 */
export function stateSpaceDraw(
  name: string,
  shape: readonly number[],
  random: RandomNumbers,
  timeStepRange: readonly [number, number] = TIME_STEP_RANGE,
): Draw | undefined {
  if (/\.A[12]?_log$/.test(name))
    return shape.length === 2 ? (index) => Math.log((index % shape[1]) + 1) : () => Math.log(random.uniform(1, 16));
  if (/\.D[12]?$/.test(name)) return () => 1;
  if (/\.dt[12]?_(bias|proj\.bias)$/.test(name)) {
    const [low, high] = timeStepRange.map(Math.log);
    return () => inverseSoftplus(Math.max(TIME_STEP_FLOOR, Math.exp(random.uniform(low, high))));
  }
  if (/\.lambda_[qk][12]$/.test(name)) return () => random.normal();
  if (/\.(norm|norm_f|subln)\.weight$/.test(name)) return () => 1;
  return undefined;
}
